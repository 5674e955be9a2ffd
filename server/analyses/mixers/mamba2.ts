import { filled, type Mixer, ofHead, outer, scaled, times } from './mixer.js';

/** Dao & Gu 2024, eq. 4: the state of a head, [channels, states], decays as a whole; heads of a group share B and C. */
export const mamba2: Mixer = {
  state: 'ssm',
  rowName: 'channel',
  colName: 'state',
  update: 'h_t = exp(Δ_t A) h_{t−1} + Δ_t x_t B_tᵀ',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.delta', 'mixer.x', 'mixer.B'],
  stepProbes: ['mixer.C', 'mixer.skip', 'mixer.y'],
  decay: (stretch, place) => filled(place.rows * place.cols, ofHead(stretch('mixer.decay'), place)[0]),
  write: (stretch, place) => {
    const x = stretch('mixer.x');
    const B = ofHead(stretch('mixer.B'), place, x.shape[1]);
    return outer(scaled(ofHead(x, place), ofHead(stretch('mixer.delta'), place)[0]), B);
  },
  removal: null,
  identity: {
    formula: 'y = h·C + D·x',
    sides: (stretch, place, { after }) => {
      const y = stretch('mixer.y');
      const read = times(after, ofHead(stretch('mixer.C'), place, y.shape[1]));
      const skip = ofHead(stretch('mixer.skip'), place);
      return { left: ofHead(y, place), right: read.map((value, e) => value + (skip[e] as number)) };
    },
  },
};
