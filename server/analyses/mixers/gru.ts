import { type Mixer, take } from './mixer.js';

/** Cho et al. 2014 (arXiv 1406.1078), as ONNX has it: z says how much of the state before stays, the rest is new. */
export const gru: Mixer = {
  state: 'h',
  rowName: 'channel',
  colName: 'value',
  update: 'h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ h̃_t',
  decays: 'row',
  updateProbes: ['mixer.z', 'mixer.write'],
  stepProbes: [],
  decay: (stretch, place) => take(stretch('mixer.z'), place, 1),
  write: (stretch, place) => take(stretch('mixer.write'), place, 1),
  removal: null,
  identity: null,
};
