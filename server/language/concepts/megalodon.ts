import { type Concept, probeOf } from '../concept.js';
import { papers } from './papers.js';

const paper = papers.megalodon;

const probe = probeOf(paper);

/** Megalodon: moving averages before attention within chunks. */
export const megalodon: readonly Concept[] = [
  {
    kind: 'family',
    names: ['megalodon', 'MegalodonForCausalLM', 'MegalodonModel'],
    title: 'Megalodon',
    what: 'A complex moving average carries the past; attention sees only the chunk at hand, so that memory stays constant however long the text. Norms run over time, too.',
    paper,
  },
  {
    kind: 'config',
    names: ['cema_ndim'],
    title: 'Averages a feature N',
    what: 'Each feature of the residual stream keeps this many complex moving averages, each with its own decay and angle.',
    paper,
    states: ['cema'],
    probes: ['mixer.kept'],
  },
  {
    kind: 'config',
    names: ['z_dim'],
    title: 'Width of queries and keys',
    what: 'Queries and keys are one representation z of this width, over all heads, scaled and shifted apart.',
    formula: 'q = γ₀ ⊙ z/‖z‖ + β₀,   k = γ₁ ⊙ z/‖z‖ + β₁',
    paper,
    probes: ['attn.q', 'attn.k'],
  },
  {
    kind: 'config',
    names: ['value_dim'],
    title: 'Width of values',
    what: 'Over all heads; wider than queries and keys.',
    paper,
    probes: ['attn.v'],
  },
  {
    kind: 'config',
    names: ['num_groups', 'norm_num_groups'],
    title: 'Groups of the timestep norm',
    what: 'Features of a group share their running mean and variance.',
    paper,
    states: ['tsn_mean', 'tsn_var'],
  },
  {
    kind: 'module',
    names: ['cema'],
    title: 'Complex moving average',
    what: 'What a block remembers beyond the chunk: averages that shrink and turn, so that they can ring as well as fade.',
    formula: 'h_t = α e^{iφ} β x_t + (1 − α δ) e^{iφ} h_{t−1},   y_t = Re Σ η h_t + ω x_t',
    paper,
    states: ['cema'],
    probes: ['mixer.y'],
  },
  {
    kind: 'module',
    names: ['tsn'],
    title: 'Timestep norm',
    what: 'Norms a group of features by the mean and variance of everything it held up to this token.',
    formula: '(x_t − μ_t) / √(σ²_t + ε)',
    paper,
    states: ['tsn_mean', 'tsn_var'],
    probes: ['ln1'],
  },
  probe('attn.gate', 'Gate of the attention', 'Multiplies what the heads read, channel by channel: [T, H·E].'),
  probe('norm.share', 'Share of a token', 'By which this token moves the running mean: [T].', '1/n'),
  probe('norm.mean', 'Mean of the token’s groups', 'Of the features of each group: [T, G].'),
  probe('norm.write', 'Write to the variance', 'What this token adds to the running variance: [T, G].'),
  probe(
    'mixer.kept',
    'What is kept of the averages κ',
    'A complex number for each, the same at every token: [D, N, 2].',
    '(1 − α δ) e^{iφ}',
  ),
  probe('mixer.gain', 'Gain of the averages', 'With which the input enters, the same at every token: [D, N, 2].', 'α e^{iφ} β'),
  probe(
    'state.tsn_mean',
    'Running mean',
    'Of each group of features over all tokens so far: [G].',
    'μ_t = μ_{t−1} + (x̄_t − μ_{t−1})/n',
  ),
  probe('state.tsn_var', 'Running variance', 'Of each group of features over all tokens so far: [G].'),
  probe(
    'state.cema',
    'Moving averages h',
    'All that a block remembers beyond its chunk, real and imaginary parts: [D, N, 2].',
    'h_t = α e^{iφ} β x_t + (1 − α δ) e^{iφ} h_{t−1}',
  ),
];
