import { filled, type Mixer, ofHead, outer, scaled, timesTransposed } from './mixer.js';

/** Yang et al. 2024 (Gated DeltaNet), eq. 10: a head decays as a whole; what was stored under k goes at the rate β, v comes in its place. */
export const deltanet: Mixer = {
  state: 'ssm',
  rowName: 'key',
  colName: 'value',
  update: 'S_t = α_t S_{t−1} − β_t k_t (α_t S_{t−1}ᵀ k_t)ᵀ + β_t k_t v_tᵀ',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.beta', 'mixer.k', 'mixer.v'],
  stepProbes: ['mixer.q', 'mixer.y'],
  decay: (stretch, place) => filled(place.rows * place.cols, ofHead(stretch('mixer.decay'), place)[0]),
  write: (stretch, place) =>
    outer(scaled(ofHead(stretch('mixer.k'), place), ofHead(stretch('mixer.beta'), place)[0]), ofHead(stretch('mixer.v'), place)),
  removal: (stretch, place, before) => {
    const k = ofHead(stretch('mixer.k'), place);
    const stored = scaled(timesTransposed(before, k), ofHead(stretch('mixer.decay'), place)[0]);
    return outer(scaled(k, ofHead(stretch('mixer.beta'), place)[0]), stored);
  },
  identity: {
    formula: 'y = Sᵀ·q',
    sides: (stretch, place, { after }) => ({
      left: ofHead(stretch('mixer.y'), place),
      right: timesTransposed(after, ofHead(stretch('mixer.q'), place)),
    }),
  },
};
