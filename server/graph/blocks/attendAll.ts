import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { type AttentionSpec, joinHeads } from './attention.js';

/** The smallest float: a masked score in the references, so that a row with every key masked is uniform and not NaN. */
const LEAST = -3.4028234663852886e38;

/**
 * Softmax attention of an encoder: all tokens are there at once and nothing is kept. q, k and v [B,H,T,E]; `hidden` is added to the scores and
 * broadcasts. Probes and their shapes are those of `attend`; returns z [B,T,H·E].
 */
export function attendAll(
  g: SegmentBuilder,
  spec: AttentionSpec,
  qkv: { readonly q: Value; readonly k: Value; readonly v: Value },
  hidden: Value | null,
): Value {
  const v = g.probe('attn.v', qkv.v);
  const q = g.probe('attn.rot_q', g.probe('attn.q', qkv.q));
  const k = g.probe('attn.rot_k', g.probe('attn.k', qkv.k));
  const scores = named(g.matmul(q, k, { transB: true, alpha: spec.scale }), ['B', spec.heads, 'T', 'S']);
  const ahead = spec.causal === false ? null : future(g, q);
  const masks = [hidden, ahead].filter((mask) => mask !== null);
  const mask = (x: Value) => masks.reduce((sum, m) => named(g.add(sum, m), scores.shape), x);
  // an intervention acts before the mask: scaling −∞ by 0 would give NaN
  const masked = g.touched('attn.scores') ? mask(g.probe('attn.scores', scores)) : g.probe('attn.scores', mask(scores));
  const pattern = g.probe('attn.pattern', g.softmax(masked)); // [B,H,T,S]
  const z = named(g.matmul(pattern, v), ['B', spec.heads, 'T', spec.headDim]);
  return joinHeads(g, g.transpose(z, 0, 2, 1, 3));
}

/** The same value with its sizes under the names that views look for. */
export const named = (value: Value, shape: Value['shape']): Value => ({ ...value, shape });

/** 0 where a key is not behind the query, −∞ elsewhere: [T,T]. */
const future = (g: SegmentBuilder, q: Value): Value =>
  g.memo('future', () => {
    const order = tokenOrder(g, q, 2);
    return g.where(g.lessOrEqual(order, g.unsqueeze(order, 1)), g.constant(0), g.constant(Number.NEGATIVE_INFINITY));
  });

/** 0…T−1, i64 [T], T measured on `axis` of a value. */
export const tokenOrder = (g: SegmentBuilder, like: Value, axis = 1): Value =>
  g.memo('order', () => g.range(g.size(like, axis), 'T'));

/** What the input `attention_mask` [B,T] (1 = look at it) adds to the scores: [B,1,1,T]. */
export const padding = (g: SegmentBuilder): Value =>
  g.memo('padding', () => {
    const mask = g.cast(g.given('attention_mask', 'i64', ['B', 'T'], { otherwise: 1, below: 2 }), 'f32');
    const added = g.mul(g.sub(mask, 1), -LEAST);
    return g.unsqueeze(g.unsqueeze(added, 1), 1);
  });
