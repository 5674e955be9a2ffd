import { type Mixer, take } from './mixer.js';

/** De et al. 2024 (Griffin), eq. 4: one number a channel, which keeps its variance while it decays. */
export const rglru: Mixer = {
  state: 'rglru',
  rowName: 'channel',
  colName: 'value',
  update: 'h_t = a_t ⊙ h_{t−1} + √(1 − a_t²) ⊙ (i_t ⊙ x_t)',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.write'],
  stepProbes: ['mixer.y'],
  decay: (stretch, place) => take(stretch('mixer.decay'), place, 1),
  write: (stretch, place) => take(stretch('mixer.write'), place, 1),
  removal: null,
  identity: {
    formula: 'y = h',
    sides: (stretch, place, { after }) => ({ left: take(stretch('mixer.y'), place, 1), right: after }),
  },
};
