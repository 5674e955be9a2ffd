import type { Builder } from '../builder.js';
import type { Dim, Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import type { StateSpec } from '../state.js';
import { type Sight, sees } from './sees.js';

/** How queries and keys become scores. */
export interface Scoring {
  readonly heads: number;
  /** Factor on q·k, usually 1/√E. */
  readonly scale: number;
  /** score = cap · tanh(score / cap), before the mask. */
  readonly softcap: number | null;
}

/** Rows of one kv state: those kept from before this call, [B,K,C,E], and those of the new tokens, [B,K,T,E]. */
export interface Rows {
  readonly past: Value;
  readonly fresh: Value;
}

/** What is read by which queries. */
export interface Reading {
  /** Scores are a sum over terms, each a part of the queries [B,H,T,·] and the keys it meets. */
  readonly terms: readonly { readonly q: Value; readonly keys: Rows }[];
  /** The values. */
  readonly rows: Rows;
  /** 0 where a query may look, −∞ elsewhere: [T,C+T], or by head. */
  readonly hidden: Value;
  /** Scores [H] of a column that takes weight and gives nothing. */
  readonly sinks?: Value | undefined;
  /** First part of the probes' names, and the name of the axis of the rows. */
  readonly as?: { readonly name: string; readonly rows: string };
}

/**
 * Of one token, up to so many queries that share keys meet them one by one: a row times a matrix reads the matrix as it lies, where a few rows
 * have it packed first. The second reads it from a core's cache.
 */
const ONE_BY_ONE = 2;

/**
 * z = softmax(scale · Σ q kᵀ) v: [B,H,T,E_v], and the pattern [B,H,T,S] for who wants it. Old and new rows are scored apart and meet in one
 * softmax, so that the KV arrays go in as they are and only new rows come out. Scores stay in the groups that share keys: [B,K,G·T,S], or of one
 * token [K,G,1,S]. In a branch `b`, where nobody can look, what blocks share is still computed once around it.
 */
export function readRows(
  g: SegmentBuilder,
  spec: Scoring,
  { terms, rows: given, hidden, sinks, as }: Reading,
  b: Builder = g,
): { readonly z: Value; pattern(): Value } {
  const H = spec.heads;
  const { name, rows: S } = as ?? { name: 'attn', rows: 'S' };
  const [, K, , E] = given.fresh.shape as [unknown, number, unknown, number];
  const oneByOne = g.single && H / K <= ONE_BY_ONE;
  const T = g.tokenCount(terms[0]?.q as Value, 2);
  const heads = oneByOne && H !== K ? queriesOf(b, H, K, S) : groupsOf(g, b, H, K, T, S);
  const rows = heads.rows(given);
  // only a product without a factor takes one row as it is
  const alpha = oneByOne ? 1 : spec.scale;
  const scaled = terms.map(({ q, keys }) => ({
    q: heads.queries(oneByOne ? b.mul(q, spec.scale) : q),
    keys: heads.rows(keys),
  }));
  const score = (part: keyof Rows) =>
    scaled.map(({ q, keys }) => b.matmul(q, keys[part], { transB: true, alpha })).reduce((x, y) => b.add(x, y));
  const capped = softCapped(b, b.concat([score('past'), score('fresh')], -1), spec.softcap);
  const oneMask = hidden.shape.length === 2 && !sinks;
  // masks and sinks of their own for each head are met head by head
  const scores = { ...(oneMask ? capped : heads.apart(capped)), shape: oneMask ? heads.shape : ['B', H, 'T', S] };
  const mask = oneMask ? heads.tiled(hidden) : hidden;
  const asHeads = oneMask ? heads : null;
  const probe: typeof g.probe = (...given) => (b === g ? g.probe(...given) : given[1]);
  // an intervention acts before the mask: scaling −∞ by 0 would give NaN
  const masked = g.touched(`${name}.scores`)
    ? b.add(probe(`${name}.scores`, scores, asHeads), mask)
    : probe(`${name}.scores`, { ...b.add(scores, mask), shape: scores.shape }, asHeads);
  const weights = sinks ? softmaxWithSinks(b, masked, sinks) : b.softmax(masked);
  const pattern = probe(`${name}.pattern`, weights, asHeads);
  const [old, fresh] = oldAndNew(g, b, oneMask ? pattern : heads.together(pattern), rows, T);
  const z = b.add(b.matmul(old, rows.past), b.matmul(fresh, rows.fresh)); // [B,K,G·T,E]
  return {
    z: H === K ? z : b.op('Reshape', [z, b.ints(0, H, -1, E)], ['B', H, 'T', E]),
    pattern: () => (oneMask ? heads.apart(pattern) : pattern),
  };
}

export const softCapped = (b: Builder, scores: Value, cap: number | null): Value =>
  cap === null ? scores : b.mul(b.tanh(b.div(scores, cap)), cap);

/** How heads that share keys are laid out, and the way there and back. */
interface Layout {
  /** Of scores. */
  readonly shape: Value['shape'];
  queries(q: Value): Value;
  rows(rows: Rows): Rows;
  /** [B,H,T,S]. */
  apart(x: Value): Value;
  together(x: Value): Value;
  /** The mask [T,S] for all heads of a group. */
  tiled(mask: Value): Value;
}

/** As rows of one matrix, [B,K,G·T,S]. */
function groupsOf(g: SegmentBuilder, b: Builder, H: number, K: number, T: Value, S: string): Layout {
  const G = H / K;
  const queries = () => g.memo(`queries.${G}`, () => g.mul(T, G));
  return {
    queries: (q) => {
      const size = q.shape.at(-1) as number;
      return G === 1 ? q : b.op('Reshape', [q, b.ints(0, K, -1, size)], ['B', K, 'G·T', size]);
    },
    rows: (rows) => rows,
    shape: ['B', K, G === 1 ? 'T' : 'G·T', S] as const,
    apart: (x: Value): Value => (G === 1 ? x : reshapeTo(g, x, [0, H, T, -1], ['B', H, 'T', S], b)),
    together: (x: Value): Value => (G === 1 ? x : reshapeTo(g, x, [0, K, queries(), -1], ['B', K, 'G·T', S], b)),
    /** [T,S] for each head of a group: [G·T,S]. */
    tiled: (mask: Value): Value =>
      G === 1 ? mask : g.memo(`${mask.name}.${G}`, () => g.concat(new Array<Value>(G).fill(mask), 0)),
  };
}

/** Each a matrix of one row, of one token: [K,G,1,S]. */
function queriesOf(b: Builder, H: number, K: number, S: string): Layout {
  const to = (x: Value, ...shape: Value['shape']) =>
    b.op('Reshape', [x, b.ints(...shape.map((size) => (typeof size === 'number' ? size : -1)))], shape);
  const each = (x: Value) => to(x, K, 1, ...x.shape.slice(2));
  return {
    shape: [K, H / K, 1, S],
    queries: (q) => to(q, K, H / K, 1, q.shape.at(-1) as number),
    rows: ({ past, fresh }) => ({ past: each(past), fresh: each(fresh) }),
    apart: (x) => b.op('Reshape', [x, b.ints(1, H, 1, -1)], ['B', H, 'T', S]),
    together: (x) => to(x, K, H / K, 1, x.shape.at(-1) as Dim),
    tiled: (mask) => mask,
  };
}

/** The columns of the pattern that belong to kept rows and to new ones. */
function oldAndNew(g: SegmentBuilder, b: Builder, pattern: Value, rows: Rows, T: Value): [Value, Value] {
  const C = rows.past.shape[2] as Dim;
  const lengths = g.memo(`lengths.${C}.${rows.fresh.shape[2]}`, () =>
    g.concat([g.unsqueeze(g.size(rows.past, 2), 0), rows.fresh.shape[2] === 'T' ? T : g.unsqueeze(g.size(rows.fresh, 2), 0)], 0),
  );
  const parts = [C, rows.fresh.shape[2] as Dim].map((size) => ({ shape: pattern.shape.toSpliced(3, 1, size) }));
  return b.ops('Split', [pattern, lengths], parts, { axis: 3 }) as [Value, Value];
}

/** One more column, dropped behind the softmax: rows sum to less than 1. */
export function softmaxWithSinks(b: Builder, scores: Value, sinks: Value): Value {
  const H = scores.shape[1] as number;
  const size = b.concat([b.slice(b.op('Shape', [scores], [4], {}, 'i64'), 0, 0, 3), b.ints(1)], 0); // [B,H,T,1]
  const column = b.op('Expand', [b.reshape(sinks, 1, H, 1, 1), size], [...scores.shape.slice(0, 3), 1]);
  return b.slice(b.softmax(b.concat([scores, column], -1)), -1, 0, -1, scores.shape[3]);
}

/**
 * 0 where a query [B,H,T,E] may look, −∞ elsewhere: [T, C+T], within its window or chunk. Column j < C holds the row of position past − kept + j,
 * valid for j < kept.
 */
export function causalMask(g: SegmentBuilder, spec: Pick<Sight, 'window' | 'chunk'>, state: StateSpec, q: Value): Value {
  const kept = g.kept(state);
  const { window, chunk } = spec;
  return g.memo(`mask.${kept.name}.${window}.${chunk}`, () => {
    const past = g.kvPast(state);
    const fresh = g.positions(q, 2); // [T]
    const column = g.range(g.size(past, past.shape.length - 2), past.shape.at(-2) as string); // [C]
    const query = g.unsqueeze(fresh, 1); // [T,1]
    const seen = (key: Value) => sees(g, spec, query, key) as Value;
    const oldOk = g.and(g.less(column, kept), seen(g.add(column, g.sub(g.past, kept)))); // [T,C]
    const freshOk = seen(fresh); // [T,T]
    return g.where(g.concat([oldOk, freshOk], 1), g.constant(0), g.constant(Number.NEGATIVE_INFINITY));
  });
}

/** Reshape with sizes known only at run time: a Value is an i64 [1]. */
export function reshapeTo(
  g: SegmentBuilder,
  x: Value,
  to: readonly (number | Value)[],
  shape: Value['shape'],
  b: Builder = g,
): Value {
  const name = to.map((size) => (typeof size === 'number' ? size : size.name)).join();
  const sizes = () => to.map((size) => (typeof size === 'number' ? g.ints(size) : size));
  return b.op('Reshape', [x, g.memo(`sizes.${name}`, () => g.concat(sizes(), 0))], shape);
}
