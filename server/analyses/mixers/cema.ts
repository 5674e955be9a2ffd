import type { Tensor } from '../../tensor/tensor.js';
import { filled, type Mixer, type Place, type Stretch, take } from './mixer.js';

/** [D, N, 2], the same at every token: the group's rows. */
const fixed = ({ shape, data }: Tensor, place: Place): Float32Array =>
  take({ shape: [1, ...shape], data }, { ...place, token: 0 }, place.cols);

/** a · b of complex numbers, (re, im) pairs. */
function product(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((_, i) => {
    const [re, im] = [i & ~1, i | 1];
    const [ar, ai, br, bi] = [a[re], a[im], b[re], b[im]] as [number, number, number, number];
    return i === re ? ar * br - ai * bi : ar * bi + ai * br;
  });
}

/** |z| of each pair, twice. */
const sizes = (z: Float32Array): Float32Array => z.map((_, i) => Math.hypot(z[i & ~1] as number, z[i | 1] as number));

/** x of each channel, `cols` times. */
const spread = (stretch: Stretch, name: string, place: Place): Float32Array => {
  const x = take(stretch(name), place, 1);
  return Float32Array.from({ length: place.rows * place.cols }, (_, i) => x[Math.floor(i / place.cols)] as number);
};

/** Ma et al. 2024 (Megalodon), eq. 4: each average shrinks by |κ| and turns; what the turn takes away stands as removal. */
const average: Mixer = {
  state: 'cema',
  rowName: 'channel',
  colName: 'average (re, im)',
  byChannel: true,
  update: 'h_t = κ h_{t−1} + α e^{iφ} β x_t with κ = (1 − α δ) e^{iφ}; decay |κ|, removal |κ| h_{t−1} − κ h_{t−1}',
  decays: 'row',
  updateProbes: ['mixer.kept', 'mixer.gain', 'ln1'],
  stepProbes: ['mixer.eta', 'mixer.skip', 'mixer.y'],
  decay: (stretch, place) => sizes(fixed(stretch('mixer.kept'), place)),
  write: (stretch, place) => {
    const x = spread(stretch, 'ln1', place);
    return fixed(stretch('mixer.gain'), place).map((gain, i) => gain * (x[i] as number));
  },
  removal: (stretch, place, before) => {
    const kept = fixed(stretch('mixer.kept'), place);
    const [shrunk, turned] = [sizes(kept), product(kept, before)];
    return before.map((value, i) => (shrunk[i] as number) * value - (turned[i] as number));
  },
  identity: {
    formula: 'y = Re Σ η·h + ω·x',
    sides: (stretch, place, { after }) => {
      const read = product(fixed(stretch('mixer.eta'), place), after);
      const skip = take(stretch('mixer.skip'), place, 1);
      const sum = (row: number) => {
        let total = 0;
        for (let i = row * place.cols; i < (row + 1) * place.cols; i += 2) total += read[i] as number;
        return total;
      };
      return { left: take(stretch('mixer.y'), place, 1), right: skip.map((value, row) => value + sum(row)) };
    },
  },
};

/** The running mean or variance of a group: 1/n of what this token says, the rest of what was there. */
const statistic = (state: string, update: string, write: Mixer['write'], probe: string): Mixer => ({
  state,
  rowName: 'group',
  colName: 'value',
  update,
  decays: 'row',
  updateProbes: ['norm.share', probe],
  stepProbes: [],
  decay: (stretch, place) => filled(place.rows, 1 - (stretch('norm.share').data[place.token] as number)),
  write,
  removal: null,
  identity: null, // the norm divides by one and subtracts the other
});

export const cema = [
  average,
  statistic(
    'tsn_mean',
    'μ_t = (1 − 1/n) μ_{t−1} + x̄_t / n',
    (stretch, place) => {
      const share = stretch('norm.share').data[place.token] as number;
      return take(stretch('norm.mean'), place, 1).map((mean) => mean * share);
    },
    'norm.mean',
  ),
  statistic(
    'tsn_var',
    'σ²_t = (1 − 1/n) σ²_{t−1} + (var x_t + (1 − 1/n)(x̄_t − μ_{t−1})²) / n',
    (stretch, place) => take(stretch('norm.write'), place, 1),
    'norm.write',
  ),
] as const;
