import type { Range } from '../../tensor/ranges.js';
import type { Builder } from '../builder.js';
import type { Value } from '../ir.js';

/** Which keys a query sees: one rule for graphs and for those who cut a pattern into pieces. */
export interface Sight {
  /** A query sees the last `window` tokens, itself included; null sees all. */
  readonly window: number | null;
  /** A query sees only its own chunk of so many tokens. */
  readonly chunk?: number;
  /** False: a query sees the tokens behind it too. */
  readonly causal?: boolean;
}

/** Whether a query sees a key, both i64 positions of any broadcastable shapes; null when every query sees every key. */
export function sees(g: Builder, { window, chunk, causal }: Sight, query: Value, key: Value): Value | null {
  const parts = [
    causal === false ? null : g.lessOrEqual(key, query),
    chunk === undefined ? null : g.lessOrEqual(g.sub(query, g.mod(query, chunk)), key),
    window === null ? null : g.less(g.sub(query, key), g.constant(BigInt64Array.of(BigInt(window)), [])),
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.reduce((a, b) => g.and(a, b));
}

const chunkOf = (token: number, chunk: number | undefined): number => (chunk === undefined ? 0 : Math.floor(token / chunk));

/** Every key of `tokens` that some of the queries see. */
export const keysSeen = ({ window, chunk, causal }: Sight, rows: Range, tokens: number): Range => ({
  from: Math.max(0, chunkOf(rows.from, chunk) * (chunk ?? 0), window === null ? 0 : rows.from - window + 1),
  to: causal === false ? tokens : Math.min(rows.to, tokens),
});

/** The first of `keys` that not every one of the queries sees; all before it are seen by all. */
export function firstHidden({ window, chunk, causal }: Sight, rows: Range, keys: Range): number {
  if (chunk !== undefined && keys.from < chunkOf(rows.to - 1, chunk) * chunk) return keys.from;
  if (window !== null && keys.from < rows.to - window) return keys.from;
  return causal === false ? keys.to : Math.max(keys.from, Math.min(keys.to, rows.from + 1));
}

/** The queries of `tokens` that see a key, itself included. */
export const queriesSeeing = ({ window, chunk, causal }: Sight, key: number, tokens: number): Range => ({
  from: causal === false ? 0 : key,
  to: Math.min(tokens, key + (window ?? tokens), chunk === undefined ? tokens : (chunkOf(key, chunk) + 1) * chunk),
});
