import type { Difference } from '../protocol/tokens.js';
import type { Tokenizer } from './tokenizer.js';

/** Shown of both texts from where they part. */
const EXCERPT = 24;

/** Where decode(encode(text)) first differs from `text`, or null when it is the same. */
export function roundTrip(tokenizer: Tokenizer, text: string, ids: readonly number[]): Difference | null {
  const decoded = tokenizer.decode(ids, { skipSpecial: false });
  if (decoded === text) return null;
  let at = 0;
  while (at < text.length && text[at] === decoded[at]) at++;
  // Not in the middle of a character.
  if (/[\udc00-\udfff]/.test(text[at] ?? '') && /[\ud800-\udbff]/.test(text[at - 1] ?? '')) at--;
  return { at, expected: text.slice(at, at + EXCERPT), decoded: decoded.slice(at, at + EXCERPT) };
}
