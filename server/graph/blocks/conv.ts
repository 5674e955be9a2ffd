import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import type { StateSpec } from '../state.js';

/** One token: what is kept behind it is its window too, and meets the weights as it lies there. */
function convolveOne(g: SegmentBuilder, x: Value, spec: StateSpec, weight: Value): Value {
  const [[d, kept], W] = [spec.shape as readonly [number, number], weight.shape[1] as number];
  const inputs = { ...g.concat([g.statePast(spec), g.turned(x)], 2), shape: ['B', d, kept + 1] };
  const last = (n: number) => (n === kept + 1 ? inputs : g.slice(inputs, 2, kept + 1 - n, kept + 1)); // [B,d,n]
  const state = last(kept);
  g.stateNew(spec.name, state);
  const sum = g.reduceSum(g.mul(W === kept ? state : last(W), weight), -1); // [B,d,1]
  return { ...g.turned(sum), shape: x.shape };
}

/**
 * Depthwise causal convolution over time, x [B,T,d] → [B,T,d], weights `name` [d,1,W]. The state holds the last W inputs [B,d,W], of which the
 * oldest is never read again, or the last W − 1, as the reference has it. Spelled as W shifted products: fast on every provider and needs no
 * transposes of x.
 */
export function causalConv(g: SegmentBuilder, x: Value, spec: StateSpec, name = 'conv1d', W = spec.shape[1] as number): Value {
  const [d, kept] = spec.shape as readonly [number, number];
  const weight = g.reshape(g.weight(`${name}.weight`, [d, 1, W]), d, W);
  const biased = (sum: Value) => (g.has(`${name}.bias`) ? g.add(sum, g.weight(`${name}.bias`, [d])) : sum);
  if (g.single) return biased(convolveOne(g, x, spec, weight));
  const past = g.transpose(g.statePast(spec), 0, 2, 1); // [B,kept,d]
  const inputs = g.concat([past, x], 1); // [B,kept+T,d]; the token at time t is row kept + t
  /** For every token the input `age` tokens before it. */
  const before = (age: number) => g.slice(inputs, 1, kept - age, age === 0 ? Number.MAX_SAFE_INTEGER : -age, 'T');
  const terms = Array.from({ length: W }, (_, j) => g.mul(before(W - 1 - j), g.squeeze(g.slice(weight, 1, j, j + 1), 1)));
  const sum = terms.reduce((a, b) => g.add(a, b));
  g.stateNew(spec.name, g.transpose(g.slice(inputs, 1, -kept, Number.MAX_SAFE_INTEGER, kept), 0, 2, 1)); // [B,d,kept]
  g.stateEvery(spec.name, () =>
    g.concat(
      Array.from({ length: kept }, (_, j) => g.unsqueeze(before(kept - 1 - j), -1)),
      -1,
    ),
  ); // [B,T,d,kept]
  return biased(sum);
}
