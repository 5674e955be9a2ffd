import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { kvState, type StateSpec } from '../state.js';
import { type Rope, rotate } from './rope.js';

/** How a layer turns q and k into a pattern: what a person needs to redo a cell by hand. */
export interface AttentionSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Factor on q·k, usually 1/√E. */
  readonly scale: number;
  /** score = cap · tanh(score / cap), before the mask. */
  readonly softcap: number | null;
  /** A query sees the last `window` tokens, itself included; null sees all. */
  readonly window: number | null;
  readonly rope: Rope | null;
  /** Rows of the pattern sum to less than 1: a learned score a head takes the rest (attention sinks). */
  readonly sinks?: boolean;
  /** False: a query sees the tokens behind it too. */
  readonly causal?: boolean;
}

/** [B,T,n·E] → [B,n,T,E]. */
export const splitHeads = (g: SegmentBuilder, x: Value, heads: number): Value =>
  g.transpose(g.reshape(x, 0, 0, heads, (x.shape.at(-1) as number) / heads), 0, 2, 1, 3);

export const attentionState = (spec: AttentionSpec): StateSpec[] => kvState(spec.kvHeads, spec.headDim, spec.window);

/** Rows of one kv state: those kept from before this call, [B,K,C,E], and those of the new tokens, [B,K,T,E]. */
export interface Rows {
  readonly past: Value;
  readonly fresh: Value;
}

/**
 * Softmax attention of H query heads over K key heads (grouped queries: head h reads kv head ⌊h·K/H⌋).
 * q [B,H,T,E], k and v [B,K,T,E] before RoPE, sinks [H]; returns z [B,T,H·E].
 */
export function attend(g: SegmentBuilder, spec: AttentionSpec, qkv: { q: Value; k: Value; v: Value; sinks?: Value }): Value {
  const turn = (x: Value) => (spec.rope ? rotate(g, x, spec.rope) : x);
  const v = g.probe('attn.v', qkv.v);
  const q = g.probe('attn.rot_q', turn(g.probe('attn.q', qkv.q)));
  const k = g.probe('attn.rot_k', turn(g.probe('attn.k', qkv.k)));
  const [kPast, vPast] = (attentionState(spec) as [StateSpec, StateSpec]).map((s) => g.kvPast(s)) as [Value, Value]; // [B,K,C,E]
  publish(g, 'k', k);
  publish(g, 'v', v);
  return joinHeads(g, readRows(g, spec, [{ q, keys: { past: kPast, fresh: k } }], { past: vPast, fresh: v }, qkv.sinks));
}

/** [B,H,T,E] → the probe `attn.z` [B,T,H,E] → [B,T,H·E]. */
export function joinHeads(g: SegmentBuilder, z: Value): Value {
  const byToken = g.probe('attn.z', g.transpose(z, 0, 2, 1, 3));
  return g.reshape(byToken, 0, 0, (z.shape[1] as number) * (z.shape[3] as number));
}

/**
 * softmax(scale · Σ q kᵀ) v: [B,H,T,E_v]. Scores are a sum over terms, each a part of the queries [B,H,T,·] and the keys it meets. Old and new
 * rows are scored apart and meet in one softmax, so that the KV arrays go in as they are and only new rows come out. `sinks` [H] are scores of
 * a column that takes weight and gives nothing.
 */
export function readRows(
  g: SegmentBuilder,
  spec: AttentionSpec,
  terms: readonly { readonly q: Value; readonly keys: Rows }[],
  values: Rows,
  sinks?: Value,
): Value {
  const H = spec.heads;
  const [, K, , E] = values.fresh.shape as [unknown, number, unknown, number];
  const grouped = terms.map(({ q, keys }) => {
    const size = q.shape.at(-1) as number;
    return { q: g.op('Reshape', [q, g.ints(0, K, -1, size)], ['B', K, 'G·T', size]), keys };
  });
  const score = (part: keyof Rows) =>
    grouped.map(({ q, keys }) => g.matmul(q, keys[part], { transB: true, alpha: spec.scale })).reduce((a, b) => g.add(a, b));
  const T = g.tokenCount(values.fresh, 2);
  const scores = reshapeTo(g, g.concat([score('past'), score('fresh')], -1), [0, H, T, -1], ['B', H, 'T', 'S']);
  const capped = spec.softcap === null ? scores : g.mul(g.tanh(g.div(scores, spec.softcap)), spec.softcap);
  const hidden = mask(g, spec.window, values.past, T);
  // an intervention acts before the mask: scaling −∞ by 0 would give NaN
  const masked = g.touched('attn.scores')
    ? g.add(g.probe('attn.scores', capped), hidden)
    : g.probe('attn.scores', g.add(capped, hidden)); // [B,H,T,S]
  const pattern = g.probe('attn.pattern', sinks ? softmaxWithSinks(g, masked, sinks, T) : g.softmax(masked)); // [B,H,T,S]

  const C = g.unsqueeze(g.size(values.past, 2), 0);
  const part = (from: Value, to: Value, size: Value, name: string) => {
    const columns = g.op('Slice', [pattern, from, to, g.ints(3)], ['B', H, 'T', name]);
    return reshapeTo(g, columns, [0, K, -1, size], ['B', K, 'G·T', name]);
  };
  const old = part(g.ints(0), C, C, values.past.shape[2] as string);
  const fresh = part(C, g.ints(Number.MAX_SAFE_INTEGER), T, 'T');
  const z = g.add(g.matmul(old, values.past), g.matmul(fresh, values.fresh)); // [B,K,G·T,E]
  return g.op('Reshape', [z, g.ints(0, H, -1, E)], ['B', H, 'T', E]);
}

/** One more column, dropped behind the softmax: rows sum to less than 1. */
function softmaxWithSinks(g: SegmentBuilder, scores: Value, sinks: Value, T: Value): Value {
  const H = scores.shape[1] as number;
  const size = g.concat([g.ints(1, H), T, g.ints(1)], 0);
  const column = g.op('Expand', [g.reshape(sinks, 1, H, 1, 1), size], ['B', H, 'T', 1]);
  return g.slice(g.softmax(g.concat([scores, column], -1)), -1, 0, -1, 'S');
}

/** New rows of a kv state, which the probe `state.NAME` shows. */
export function publish(g: SegmentBuilder, name: string, rows: Value): void {
  g.stateNew(name, rows);
  g.observe(`state.${name}`, () => g.op('Identity', [rows], rows.shape));
}

/** 0 where a query may look, −∞ elsewhere: [T, C+T]. Column j < C holds position past − kept + j, valid for j < kept. */
function mask(g: SegmentBuilder, window: number | null, kPast: Value, T: Value): Value {
  const scope = g.kept;
  return g.memo(`mask.${scope.name}.${window}`, () => {
    const fresh = g.memo('positions', () => g.add(g.range(g.squeeze(T, 0), 'T'), g.past)); // [T]
    const column = g.range(g.size(kPast, 2), kPast.shape[2] as string); // [C]
    const query = g.unsqueeze(fresh, 1); // [T,1]
    const near = (key: Value, ok: Value) =>
      window === null ? ok : g.and(ok, g.less(g.sub(query, key), g.constant(BigInt64Array.of(BigInt(window)), [])));
    const old = g.add(column, g.sub(g.past, scope));
    const oldOk = near(old, g.and(g.less(column, scope), g.lessOrEqual(old, query))); // [T,C]
    const freshOk = near(fresh, g.lessOrEqual(fresh, query)); // [T,T]
    return g.where(g.concat([oldOk, freshOk], 1), g.constant(0), g.constant(Number.NEGATIVE_INFINITY));
  });
}

/** Reshape with sizes known only at run time: a Value is an i64 [1]. */
function reshapeTo(g: SegmentBuilder, x: Value, to: readonly (number | Value)[], shape: Value['shape']): Value {
  const sizes = to.map((size) => (typeof size === 'number' ? g.ints(size) : size));
  return g.op('Reshape', [x, g.concat(sizes, 0)], shape);
}
