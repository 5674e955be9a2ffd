import type { Piece, Tokenizer } from './tokenizer.js';

/** A place where a text may be cut, when the tokenizer says so: after a line break, before a letter or digit. */
export const CUT = /(?<=\n)(?=[\p{L}\p{N}])/gu;

/**
 * Tokens of one part of a text that was cut there.
 * @param following the character after the part, '' at the end of the text: what stands before white space decides how it is cut
 */
export const encodePart = (tokenizer: Tokenizer, text: string, following: string, continues: boolean): readonly Piece[] =>
  following === ''
    ? tokenizer.encode(text, { special: false, continues })
    : tokenizer.encode(text + following, { special: false, continues }).filter(({ start }) => start < text.length);

/** Whether a token with this spelling reaches over such a place. */
export const crossesCut = (spelling: string): boolean => /\n[\p{L}\p{N}]/u.test(spelling);

/** What may stand before a line break and after it: one of each kind that regular expressions tell apart. */
const BEFORE = [
  '',
  'a',
  'Ä',
  '1',
  '½',
  '中',
  'e\u0301',
  "'",
  "'s",
  '!',
  '/',
  '"',
  '_',
  '=',
  '+',
  '$',
  '\u2028',
  '\u00a0',
  ' ',
  '\t',
  '\r',
  '\n',
];
const AFTER = ['a', 's', 'A', 'Ä', 'ß', 'ǅ', 'ʰ', 'ª', '中', 'ア', 'ไ', 'ب', '𝔘', '1', '٣', '½', 'Ⅷ', '²', '𝟘'];

/**
 * Whether a pre-tokeniser keeps what is before a cut apart from what is after it, when the first part is cut with the character that follows.
 * Regular expressions see characters by their class, so it is tried with one of each.
 */
export function separatesLines(pieces: (text: string, continues: boolean) => readonly string[]): boolean {
  const alone = new Map(AFTER.map((after) => [after, pieces(after, true).join('')]));
  const apart = new Map(AFTER.map((after) => [after, pieces(`${after}b 2`, true)]));
  return BEFORE.every((before) =>
    AFTER.every((after) => {
      const head = pieces(`x ${before}\n${after}`, false);
      const whole = pieces(`x ${before}\n${after}b 2`, false);
      const parts = [...head.slice(0, -1), ...(apart.get(after) as readonly string[])];
      return head.at(-1) === alone.get(after) && parts.length === whole.length && parts.every((piece, i) => piece === whole[i]);
    }),
  );
}
