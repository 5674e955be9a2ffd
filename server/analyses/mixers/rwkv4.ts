import { type Mixer, take } from './mixer.js';

/** Peng et al. 2023 (RWKV-4), eq. 16: a weighted mean over the past, as its numerator and denominator, both times e^−max. */
const sum = (
  state: 'num' | 'den',
): Pick<Mixer, 'state' | 'rowName' | 'colName' | 'decays' | 'removal' | 'identity' | 'decay'> => ({
  state,
  rowName: 'channel',
  colName: 'value',
  decays: 'row',
  decay: (stretch, place) => take(stretch('time_mix.decay'), place, 1),
  removal: null,
  identity: null, // the output divides one by the other
});

export const numerator: Mixer = {
  ...sum('num'),
  update: 'num_t = e^(max_{t−1} − e^w − max_t) num_{t−1} + e^(k_t − max_t) v_t',
  updateProbes: ['time_mix.decay', 'time_mix.gain', 'time_mix.v'],
  stepProbes: [],
  write: (stretch, place) => {
    const v = take(stretch('time_mix.v'), place, 1);
    return take(stretch('time_mix.gain'), place, 1).map((gain, c) => gain * (v[c] as number));
  },
};

export const denominator: Mixer = {
  ...sum('den'),
  update: 'den_t = e^(max_{t−1} − e^w − max_t) den_{t−1} + e^(k_t − max_t)',
  updateProbes: ['time_mix.decay', 'time_mix.gain'],
  stepProbes: [],
  write: (stretch, place) => take(stretch('time_mix.gain'), place, 1),
};
