import { dot } from '../../tensor/reduce.js';
import { type Mixer, take } from './mixer.js';

/** Gu & Dao 2023, Alg. 2: every state of every channel decays on its own, and nothing is removed. */
export const mamba: Mixer = {
  state: 'ssm',
  rowName: 'channel',
  colName: 'state',
  update: 'h_t = exp(Δ_t A) ⊙ h_{t−1} + (Δ_t x_t) B_tᵀ',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.write'],
  stepProbes: ['mixer.C', 'mixer.skip', 'mixer.y'],
  decay: (stretch, place) => take(stretch('mixer.decay'), place, place.cols),
  write: (stretch, place) => take(stretch('mixer.write'), place, place.cols),
  removal: null,
  identity: {
    formula: 'y = C·h + D·x',
    sides: (stretch, place, { after }) => {
      const { token, cols } = place;
      const C = stretch('mixer.C').data.subarray(token * cols, (token + 1) * cols);
      const skip = take(stretch('mixer.skip'), place, 1);
      return {
        left: take(stretch('mixer.y'), place, 1),
        right: skip.map((value, c) => value + dot(C, after.subarray(c * cols, (c + 1) * cols))),
      };
    },
  },
};
