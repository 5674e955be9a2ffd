/**
 * Which rows a kv state holds: all (null), those of the newest n tokens, those of the chunk of tokens at hand, or one for each block of `block`
 * tokens that has ended, a new block beginning every `stride` tokens.
 */
export type Keeps = null | number | { readonly chunk: number } | { readonly block: number; readonly stride: number };

/** Rows after so many tokens. */
export function rowsKept(keeps: Keeps, tokens: number): number {
  if (keeps === null) return tokens;
  if (typeof keeps === 'number') return Math.min(tokens, keeps);
  if ('chunk' in keeps) return tokens % keeps.chunk;
  return Math.max(0, Math.floor((tokens - keeps.block) / keeps.stride) + 1);
}

/** A row stays once it is there. */
export const forgetsNothing = (keeps: Keeps): boolean => keeps === null || (typeof keeps === 'object' && 'block' in keeps);

/** Rows there can be at most, null for any number. */
export const mostRows = (keeps: Keeps): number | null =>
  keeps === null || typeof keeps === 'number' ? keeps : 'chunk' in keeps ? keeps.chunk - 1 : null;

/** In words: "at most 5 tokens". */
export function keepsText(keeps: Keeps): string {
  if (keeps === null) return 'every token';
  if (typeof keeps === 'number') return `at most ${keeps} tokens`;
  if ('chunk' in keeps) return `the chunk of ${keeps.chunk} tokens at hand`;
  return `a row for each ${keeps.block} tokens, every ${keeps.stride}`;
}

/** Rows that a further token adds on average, after so many: 0 for a full window, and for a chunk, which only ever fills again. */
export function growth(keeps: Keeps, tokens: number): number {
  if (keeps === null) return 1;
  if (typeof keeps === 'number') return tokens < keeps ? 1 : 0;
  return 'chunk' in keeps ? 0 : 1 / keeps.stride;
}
