import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import type { StateSpec } from '../state.js';

/**
 * Depthwise causal convolution over time, x [B,T,d] → [B,T,d], weights `conv1d` [d,1,W]; the state holds the last W inputs [B,d,W].
 * Spelled as W shifted products: fast on every provider and needs no transposes of x.
 */
export function causalConv(g: SegmentBuilder, x: Value, spec: StateSpec): Value {
  const [d, W] = spec.shape as readonly [number, number];
  const past = g.transpose(g.statePast(spec), 0, 2, 1); // [B,W,d]
  const inputs = g.concat([past, x], 1); // [B,W+T,d]; the token at time t is row W + t
  const weight = g.reshape(g.weight('conv1d.weight', [d, 1, W]), d, W);
  const window = (j: number) => g.slice(inputs, 1, j + 1, j + 1 - W === 0 ? Number.MAX_SAFE_INTEGER : j + 1 - W, 'T'); // inputs W−1−j tokens ago
  const terms = Array.from({ length: W }, (_, j) => g.mul(window(j), g.squeeze(g.slice(weight, 1, j, j + 1), 1)));
  const sum = terms.reduce((a, b) => g.add(a, b));
  g.stateNew(spec.name, g.transpose(g.slice(inputs, 1, -W, Number.MAX_SAFE_INTEGER, W), 0, 2, 1)); // [B,d,W]
  g.stateEvery(spec.name, () =>
    g.concat(
      Array.from({ length: W }, (_, j) => g.unsqueeze(window(j), -1)),
      -1,
    ),
  ); // [B,T,d,W]
  return g.has('conv1d.bias') ? g.add(sum, g.weight('conv1d.bias', [d])) : sum;
}
