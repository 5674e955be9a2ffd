import { filled, type Mixer, outer, take, times } from './mixer.js';

/** Peng et al. 2025 (RWKV-7), eq. 17: keys decay by w; what was stored under the key κ̂ is taken away at the rate a; v is stored under k. */
export const rwkv: Mixer = {
  state: 'wkv',
  rowName: 'value',
  colName: 'key',
  update: 'S_t = S_{t−1} diag(w_t) − (S_{t−1} κ̂_t)(a_t ⊙ κ̂_t)ᵀ + v_t k_tᵀ',
  decays: 'col',
  updateProbes: ['time_mix.w', 'time_mix.k', 'time_mix.v'],
  stepProbes: ['time_mix.r', 'time_mix.a', 'time_mix.kappa', 'time_mix.y'],
  decay: (stretch, place) => outer(filled(place.rows, 1), take(stretch('time_mix.w'), place, 1)),
  write: (stretch, place) => outer(take(stretch('time_mix.v'), place, 1), take(stretch('time_mix.k'), place, 1)),
  removal: (stretch, place, before) => {
    const kappa = take(stretch('time_mix.kappa'), place, 1);
    const rate = take(stretch('time_mix.a'), place, 1);
    return outer(
      times(before, kappa),
      kappa.map((value, e) => value * (rate[e] as number)),
    );
  },
  identity: {
    formula: 'y = S·r',
    sides: (stretch, place, { after }) => ({
      left: take(stretch('time_mix.y'), place, 1),
      right: times(after, take(stretch('time_mix.r'), place, 1)),
    }),
  },
};
