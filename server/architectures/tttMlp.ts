import { defineArchitecture } from '../graph/architecture.js';
import type { InnerModel } from '../graph/blocks/ttt.js';
import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/ir.js';
import { type TttConfig, tttParts } from './tttLinear.js';

/** Of gelu's tanh approximation: √(2/π), and the weight of x³. */
const [SLOPE, CUBIC] = [Math.sqrt(2 / Math.PI), 0.044715];

/** gelu and its derivative. */
function gelu(b: Builder, x: Value): { value: Value; slope: Value } {
  const square = b.mul(x, x);
  const t = b.tanh(b.mul(b.mul(x, b.add(b.mul(square, CUBIC), 1)), SLOPE));
  const gate = b.mul(b.add(t, 1), 0.5);
  const turning = b.mul(b.mul(x, b.sub(b.constant(1), b.mul(t, t))), b.mul(b.add(b.mul(square, 3 * CUBIC), 1), SLOPE / 2));
  return { value: b.mul(x, gate), slope: b.add(gate, turning) };
}

/** f(x) = gelu(x W₁ + b₁) W₂ + b₂, four times as wide inside. */
const mlp: InnerModel = {
  tensors: ({ heads: H, headDim: d }) => [
    { tensor: 'W1', state: 'fast_weights', gradient: 'grad_weights', shape: [H, d, 4 * d] },
    { tensor: 'b1', state: 'fast_bias', gradient: 'grad_bias', shape: [H, 1, 4 * d] },
    { tensor: 'W2', state: 'fast_weights_2', gradient: 'grad_weights_2', shape: [H, 4 * d, d] },
    { tensor: 'b2', state: 'fast_bias_2', gradient: 'grad_bias_2', shape: [H, 1, d] },
  ],
  forward(b, W, x) {
    const [W1, b1, W2, b2] = W as [Value, Value, Value, Value];
    const pre = b.add(b.matmul(x, W1), b1); // [B,H,1,4d]
    const { value: post, slope } = gelu(b, pre);
    return {
      y: b.add(b.matmul(post, W2), b2),
      inner: { pre, post },
      gradients: (dy) => {
        const back = b.mul(b.matmul(dy, b.transpose(W2, 0, 1, 3, 2)), slope); // [B,H,1,4d]
        const outer = (u: Value, dv: Value) => b.mul(b.transpose(u, 0, 1, 3, 2), dv);
        return { tensors: [outer(x, back), back, outer(post, dy), dy], inner: { hidden: post, grad_hidden: back } };
      },
    };
  },
  ofKey: ['hidden', 'grad_hidden'],
  ofQuery: ['pre', 'post'],
};

/** TTT-MLP: as TTT-Linear, with a two-layer perceptron for an inner model. */
export const tttMlp = defineArchitecture<TttConfig>({
  id: 'ttt_mlp',
  names: ['ttt_mlp', 'TTTMLPForCausalLM'],
  ...tttParts(mlp),
  layer: ({ ttt }) => ({ mixer: 'ttt_mlp', attention: null, heads: ttt.heads, headDim: ttt.headDim }),
});
