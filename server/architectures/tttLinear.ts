import { defineArchitecture } from '../graph/architecture.js';
import { rope } from '../graph/blocks/rope.js';
import { type InnerModel, type TttSpec, tttMixer, tttState } from '../graph/blocks/ttt.js';
import type { ConfigReader } from '../graph/config.js';
import { type PreNormConfig, preNormConfig, preNormParts } from './preNorm.js';

export interface TttConfig extends PreNormConfig {
  readonly ttt: TttSpec;
}

export function tttConfig(raw: ConfigReader): TttConfig {
  const base = preNormConfig(raw);
  const heads = raw.size(['num_heads', 'num_attention_heads']);
  const headDim = raw.divides('num_heads', heads, base.dModel);
  const batch = raw.size(['mini_batch_size', 'ttt_mini_batch_size'], 16);
  const turn = { ...rope(headDim, raw.rope()), period: batch };
  return { ...base, ttt: { heads, headDim, batch, baseRate: raw.number('ttt_base_lr', 1), rope: turn } };
}

/** f(x) = x W + b. */
const linear: InnerModel = {
  tensors: ({ heads: H, headDim: d }) => [
    { tensor: 'W1', state: 'fast_weights', gradient: 'grad_weights', shape: [H, d, d] },
    { tensor: 'b1', state: 'fast_bias', gradient: 'grad_bias', shape: [H, 1, d] },
  ],
  forward(b, W, x) {
    const [weights, bias] = W as [(typeof W)[0], (typeof W)[0]];
    return {
      y: b.add(b.matmul(x, weights), bias),
      inner: {},
      gradients: (dy) => ({ tensors: [b.mul(b.transpose(x, 0, 1, 3, 2), dy), dy], inner: {} }),
    };
  },
  ofKey: [],
  ofQuery: [],
};

/** A stack of layers whose state is a model that learns the text while it is read. */
export const tttParts = (inner: InnerModel) => ({
  ...preNormParts,
  config: tttConfig,
  state: (c: TttConfig) => tttState(c.ttt, inner),
  block: (g: Parameters<typeof preNormParts.block>[0], c: TttConfig, x: Parameters<typeof preNormParts.block>[2]) =>
    preNormParts.block(g, c, x, (ln1) => tttMixer(g, c.ttt, inner, ln1)),
});

/**
 * TTT-Linear: Sun et al. 2024 (arXiv 2407.04620), eq. 3–7; official code test-time-training/ttt-lm-pytorch ttt.py.
 * W, b the inner model (fast weights), k training view, v label view, q test view, η learning rate of a token, b mini-batch.
 */
export const tttLinear = defineArchitecture<TttConfig>({
  id: 'ttt_linear',
  names: ['ttt_linear', 'TTTLinearForCausalLM'],
  ...tttParts(linear),
  layer: ({ ttt }) => ({ mixer: 'ttt_linear', attention: null, heads: ttt.heads, headDim: ttt.headDim }),
});
