import { dot } from '../../tensor/reduce.js';
import { type Mixer, take } from './mixer.js';

/** u vᵀ, [rows, cols]. */
function outer(u: Float32Array, v: Float32Array): Float32Array {
  const out = new Float32Array(u.length * v.length);
  for (let r = 0; r < u.length; r++)
    for (let c = 0; c < v.length; c++) out[r * v.length + c] = (u[r] as number) * (v[c] as number);
  return out;
}

/** S u for S [rows, cols]. */
const times = (S: Float32Array, u: Float32Array): Float32Array =>
  Float32Array.from({ length: S.length / u.length }, (_, r) => dot(S.subarray(r * u.length, (r + 1) * u.length), u));

/** Peng et al. 2025 (RWKV-7), eq. 17: keys decay by w; what was stored under the key κ̂ is taken away at the rate a; v is stored under k. */
export const rwkv: Mixer = {
  state: 'wkv',
  rowName: 'value',
  colName: 'key',
  update: 'S_t = S_{t−1} diag(w_t) − (S_{t−1} κ̂_t)(a_t ⊙ κ̂_t)ᵀ + v_t k_tᵀ',
  decays: 'col',
  updateProbes: ['time_mix.w', 'time_mix.k', 'time_mix.v'],
  stepProbes: ['time_mix.r', 'time_mix.a', 'time_mix.kappa', 'time_mix.y'],
  decay: (stretch, place) => outer(new Float32Array(place.rows).fill(1), take(stretch('time_mix.w'), place, 1)),
  write: (stretch, place) => outer(take(stretch('time_mix.v'), place, 1), take(stretch('time_mix.k'), place, 1)),
  removal: (stretch, place, before) => {
    const kappa = take(stretch('time_mix.kappa'), place, 1);
    const rate = take(stretch('time_mix.a'), place, 1);
    return outer(
      times(before, kappa),
      kappa.map((value, e) => value * (rate[e] as number)),
    );
  },
  formula: 'y = S·r',
  identity: (stretch, place, after) => ({
    left: take(stretch('time_mix.y'), place, 1),
    right: times(after, take(stretch('time_mix.r'), place, 1)),
  }),
};
