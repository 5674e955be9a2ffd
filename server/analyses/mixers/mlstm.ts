import { filled, type Mixer, ofHead, outer, scaled, take, timesTransposed } from './mixer.js';

/** Beck et al. 2024 (xLSTM), eq. 19–27: a head forgets as a whole; a second state counts what was stored, to divide by it. */
export const memory: Mixer = {
  state: 'C',
  rowName: 'key',
  colName: 'value',
  update: 'C_t = e^(log f_t + m_{t−1} − m_t) C_{t−1} + e^(log i_t − m_t) k_t v_tᵀ',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.gain', 'mixer.k', 'mixer.v'],
  stepProbes: ['mixer.q', 'mixer.norm', 'mixer.y'],
  decay: (stretch, place) => filled(place.rows * place.cols, ofHead(stretch('mixer.decay'), place)[0]),
  write: (stretch, place) =>
    outer(scaled(ofHead(stretch('mixer.k'), place), ofHead(stretch('mixer.gain'), place)[0]), ofHead(stretch('mixer.v'), place)),
  removal: null,
  identity: {
    formula: 'y · max(|n·q|, e^−m) = Cᵀ·q',
    sides: (stretch, place, { after }) => ({
      left: scaled(ofHead(stretch('mixer.y'), place), ofHead(stretch('mixer.norm'), place)[0]),
      right: timesTransposed(after, ofHead(stretch('mixer.q'), place)),
    }),
  },
};

/** u of each row, `cols` times. */
const spread = (u: Float32Array, cols: number): Float32Array => outer(u, filled(cols, 1));

export const stored: Mixer = {
  state: 'n',
  rowName: 'head',
  colName: 'key',
  update: 'n_t = e^(log f_t + m_{t−1} − m_t) n_{t−1} + e^(log i_t − m_t) k_t',
  decays: 'row',
  updateProbes: ['mixer.decay', 'mixer.gain', 'mixer.k'],
  stepProbes: [],
  decay: (stretch, place) => spread(take(stretch('mixer.decay'), place, 1), place.cols),
  write: (stretch, place) => {
    const gains = spread(take(stretch('mixer.gain'), place, 1), place.cols);
    return take(stretch('mixer.k'), place, place.cols).map((k, i) => k * (gains[i] as number));
  },
  removal: null,
  identity: null, // the output divides by it
};
