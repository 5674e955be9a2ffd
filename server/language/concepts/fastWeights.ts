import { type Concept, probeOf } from '../concept.js';
import { papers } from './papers.js';

const paper = papers.ttt;

const probe = probeOf(paper);

/** TTT: layers whose state is a model that learns the text while it is read. */
export const fastWeights: readonly Concept[] = [
  {
    kind: 'family',
    names: ['ttt_linear', 'ttt_mlp', 'ttt', 'TTTForCausalLM', 'TTTLinearForCausalLM', 'TTTMLPForCausalLM'],
    title: 'TTT',
    what: 'The state of each head is a small model, linear or a perceptron, that takes a gradient step on every token: it learns to give a token’s value for its key, and is then asked with the query.',
    formula: 'W_t = W_{t−1} − η ∇ℓ(W; k_t, v_t),   y_t = f(q_t; W_t)',
    paper,
  },
  {
    kind: 'config',
    names: ['mini_batch_size', 'ttt_mini_batch_size'],
    title: 'Mini-batch of the inner loop',
    what: 'Gradients of this many tokens are all taken at the weights with which the mini-batch began, so that they can be computed at once. Positions of RoPE count within it.',
    paper,
    probes: ['mixer.rate', 'mixer.keep'],
    states: ['fast_weights', 'grad_weights'],
  },
  {
    kind: 'config',
    names: ['ttt_base_lr'],
    title: 'Inner learning rate',
    what: 'Upper bound of the learning rate of a token, before it is divided by the head’s width; a gate says how much of it each token gets.',
    formula: 'η = base · σ(w·x + c) / d',
    paper,
    probes: ['mixer.eta'],
  },
  {
    kind: 'module',
    names: ['learnable_token_idx'],
    title: 'Step by place in the mini-batch',
    what: 'Added to 1/(j+1): how far the weights go along the summed gradients after the j-th token of a mini-batch. Never below 0.',
    paper,
    probes: ['mixer.rate'],
  },
  {
    kind: 'module',
    names: ['lr_weight', 'lr_bias', 'learnable_ttt_lr_weight', 'learnable_ttt_lr_bias'],
    title: 'Gate of the inner learning rate',
    what: 'How strongly each head learns from a token is decided by the token itself.',
    formula: 'η = base · σ(w·x + c) / d',
    paper,
    probes: ['mixer.eta'],
  },
  {
    kind: 'module',
    names: ['ttt_norm_weight', 'ttt_norm_bias'],
    title: 'Norm of the inner model',
    what: 'The inner model’s output is normed within its head before it is compared with the target, and before it answers.',
    formula: 'ℓ = ½ ‖LN(f(k; W)) − (v − k)‖²',
    paper,
    probes: ['mixer.loss', 'mixer.y'],
  },
  probe('mixer.q', 'Query of the recurrence', 'What the state is asked with, head by head: [T, H, E].'),
  probe('mixer.k', 'Key of the recurrence', 'Under which the token is stored, head by head: [T, H, E].'),
  probe('mixer.v', 'Value of the recurrence', 'What is stored under the key, head by head: [T, H, E].'),
  probe(
    'mixer.eta',
    'Learning rate η, or readout',
    'TTT: how strongly each head learns from the token, [T, H]. Megalodon: with what each average is read, [D, N, 2].',
    'η = base · σ(w·x + c) / d',
  ),
  probe(
    'mixer.loss',
    'Inner loss',
    'How badly the inner model, as it was when the mini-batch began, gives this token’s target: [T, H]. It falls where the text repeats.',
    'ℓ = ½ ‖LN(f(k; W)) − (v − k)‖²',
  ),
  probe('mixer.grad', 'Gradient by the output', 'Of the inner loss by the inner model’s output: [T, H, d].', '∂ℓ/∂f'),
  probe(
    'mixer.grad_hidden',
    'Gradient by the hidden layer',
    'Of the inner loss by what enters the inner activation: [T, H, 4d].',
  ),
  probe('mixer.hidden', 'Hidden layer at the key', 'Of the inner perceptron, after its activation: [T, H, 4d].'),
  probe('mixer.pre', 'Hidden layer at the query, before', 'Of the inner perceptron, before its activation: [T, H, 4d].'),
  probe('mixer.post', 'Hidden layer at the query', 'Of the inner perceptron, after its activation: [T, H, 4d].'),
  probe(
    'mixer.rate',
    'Step along the gradients ρ',
    'By the token’s place j in its mini-batch: [T].',
    'ρ = max(0, 1/(j+1) + learned_j)',
  ),
  probe('mixer.rate_before', 'Step at the place before', 'That of the last place for the first token of a mini-batch: [T].'),
  probe('mixer.keep', 'Gradients go on', '0 where a mini-batch begins and the sum of gradients with it, 1 elsewhere: [T].'),
  probe(
    'state.fast_weights',
    'Fast weights W',
    'Of the inner model after every token: [H, d, d]; of a perceptron the first layer, [H, d, 4d].',
    'W_t = W_s − ρ_t Σ η_j G_j',
  ),
  probe('state.fast_bias', 'Fast bias b', 'Of the inner model after every token: [H, 1, d], or of its first layer, [H, 1, 4d].'),
  probe('state.fast_weights_2', 'Fast weights W₂', 'Second layer of the inner perceptron after every token: [H, 4d, d].'),
  probe('state.fast_bias_2', 'Fast bias b₂', 'Second layer of the inner perceptron after every token: [H, 1, d].'),
  ...['weights', 'bias', 'weights_2', 'bias_2'].map((name) =>
    probe(
      `state.grad_${name}`,
      `Summed gradients of fast_${name}`,
      'Since the mini-batch began, each times its learning rate.',
      'A_t = Σ η_j G_j',
    ),
  ),
];
