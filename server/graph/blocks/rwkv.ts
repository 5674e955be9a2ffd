import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { shiftState } from '../state.js';

/** The input of the token before: [B,T,D] moved by one, the state filling the first place. */
export function tokenShift(g: SegmentBuilder, x: Value, name: string): Value {
  const D = x.shape.at(-1) as number;
  const spec = shiftState(name, D);
  const before = g.concat([g.unsqueeze(g.statePast(spec), 1), x], 1); // [B,1+T,D]
  g.stateNew(name, g.squeeze(g.slice(x, 1, -1, Number.MAX_SAFE_INTEGER, 1), 1)); // [B,D]
  g.stateEvery(name, () => g.op('Identity', [x], x.shape));
  return g.slice(before, 1, 0, -1, 'T');
}

/** LayerNorm within each head of y [B,T,H,E], then one affine map `name` over all: [B,T,H·E]. */
export function groupNorm(g: SegmentBuilder, y: Value, name: string, eps: number): Value {
  const [H, E] = y.shape.slice(-2) as [number, number];
  const ones = g.constant(new Float32Array(E).fill(1), [E]);
  const normed = g.op('LayerNormalization', [y, ones, null], y.shape, { axis: -1, epsilon: eps });
  const flat = g.reshape(normed, 0, 0, H * E);
  return g.add(g.mul(flat, g.weight(`${name}.weight`, [H * E])), g.weight(`${name}.bias`, [H * E]));
}

/** Channel mix of RWKV-4 to 6: σ(r) ⊙ value(relu(key x)²). `mixed` gives the input of a map, blended with the token before. */
export function gatedChannelMix(g: SegmentBuilder, size: number, mixed: (name: 'k' | 'r') => Value): Value {
  const x = mixed('k');
  const D = x.shape.at(-1) as number;
  const pre = g.relu(g.linear(x, 'key', size));
  const k = g.probe('channel_mix.k', g.mul(pre, pre)); // [B,T,F]
  const r = g.probe('channel_mix.r', g.sigmoid(g.linear(mixed('r'), 'receptance', D))); // [B,T,D]
  return g.mul(r, g.linear(k, 'value', D));
}
