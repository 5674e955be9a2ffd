import { filled, type Mixer, outer, take, times } from './mixer.js';

/** Peng et al. 2024 (RWKV-5 and 6), eq. 16 and 20: keys decay by w, v is stored under k; the output also reads the token itself, by u. */
export const rwkv5: Mixer = {
  state: 'wkv',
  rowName: 'value',
  colName: 'key',
  update: 'S_t = S_{t−1} diag(w_t) + v_t k_tᵀ',
  decays: 'col',
  updateProbes: ['time_mix.w', 'time_mix.k', 'time_mix.v'],
  stepProbes: ['time_mix.r', 'time_mix.bonus', 'time_mix.y'],
  decay: (stretch, place) => outer(filled(place.rows, 1), take(stretch('time_mix.w'), place, 1)),
  write: (stretch, place) => outer(take(stretch('time_mix.v'), place, 1), take(stretch('time_mix.k'), place, 1)),
  removal: null,
  identity: {
    formula: 'y_t = S_{t−1}·r_t + (r_t·(u ⊙ k_t)) v_t',
    sides: (stretch, place, { before }) => {
      const bonus = take(stretch('time_mix.bonus'), place, 1);
      const read = times(before, take(stretch('time_mix.r'), place, 1));
      return { left: take(stretch('time_mix.y'), place, 1), right: read.map((value, e) => value + (bonus[e] as number)) };
    },
  },
};
