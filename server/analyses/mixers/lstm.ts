import { type Mixer, take } from './mixer.js';

/** Hochreiter & Schmidhuber 1997 with a forget gate (Gers et al. 2000), as ONNX has it: the cell forgets at the rate f, takes up i ⊙ g. */
export const lstm: Mixer = {
  state: 'c',
  rowName: 'channel',
  colName: 'value',
  update: 'c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t',
  decays: 'row',
  updateProbes: ['mixer.f', 'mixer.i', 'mixer.g'],
  stepProbes: ['mixer.o', 'state.h'],
  decay: (stretch, place) => take(stretch('mixer.f'), place, 1),
  write: (stretch, place) => {
    const gate = take(stretch('mixer.i'), place, 1);
    return take(stretch('mixer.g'), place, 1).map((value, c) => value * (gate[c] as number));
  },
  removal: null,
  identity: {
    formula: 'h = o ⊙ tanh(c)',
    sides: (stretch, place, { after }) => ({
      left: take(stretch('state.h'), place, 1),
      right: take(stretch('mixer.o'), place, 1).map((gate, c) => gate * Math.tanh(after[c] as number)),
    }),
  },
};
