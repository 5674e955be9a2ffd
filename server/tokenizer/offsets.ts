import type { Aligned } from './alignment.js';
import { utf8Length } from './bytes.js';

/** A space in the spellings of the pre-tokenisers that may put one before the text. */
const MARK = /^[ ▁Ġ]/;

/** Where in the surface the pieces of the pre-tokeniser are. It may drop text (white space) or put a mark before a piece. */
export function placePieces(
  surface: string,
  pieces: readonly string[],
): readonly { readonly text: string; readonly at: number; readonly mark: number }[] {
  let at = 0;
  return pieces.map((text) => {
    let mark = 0;
    if (!surface.startsWith(text, at)) {
      const found = surface.indexOf(text, at);
      const withoutMark = MARK.test(text) ? surface.indexOf(text.slice(1), at) : -1;
      mark = withoutMark >= 0 && (found < 0 || withoutMark < found) ? 1 : 0;
      const place = mark === 1 ? withoutMark : found;
      if (place >= 0) at = place;
    }
    const placed = { text, at, mark };
    at = Math.min(surface.length, at + text.length - mark);
    return placed;
  });
}

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

/** How a model spells tokens, as far as their length in the text goes. */
export interface Spelling {
  /** Put before a piece that continues a word (WordPiece's `##`), '' when there is none. */
  readonly continuation: string;
  /** Put after the last piece of a word, '' when there is none. */
  readonly wordEnd: string;
  /** An unknown word is one token, whatever its length. */
  readonly unknownIsWhole: boolean;
  /** `<0x41>` stands for a byte, and never for its own spelling. */
  readonly byteFallback: boolean;
}

/**
 * Ranges of the tokens of one piece, walked along its text: a byte-fallback token stands for one UTF-8 byte, an unknown token
 * for a character, or for the run up to the place where the next token fits.
 * @returns ranges in units of `piece`; tokens that split one character each get that whole character
 */
export function measureTokens(
  piece: string,
  tokens: readonly string[],
  spelling: Spelling,
): readonly (readonly [start: number, end: number])[] {
  const texts = tokens.map((token, index) => bare(token, index === 0, spelling));
  let at = 0;
  let bytesDone = 0;
  return tokens.map((token, index) => {
    const text = texts[index] as string;
    const isByte = spelling.byteFallback && BYTE_TOKEN.test(token);
    const found = !isByte && bytesDone === 0 && text !== '' ? piece.indexOf(text, at) : -1;
    if (found >= 0) {
      at = found + text.length;
      return [found, at];
    }
    const start = at;
    const character = Math.min(piece.length, at + characterWidth(piece, at));
    if (isByte) {
      bytesDone = (bytesDone + 1) % utf8Length(piece.codePointAt(at) ?? 0);
      if (bytesDone === 0) at = character;
      return [start, character];
    }
    const next = spelling.unknownIsWhole ? undefined : texts[index + 1];
    const resume = next === undefined ? piece.length : piece.indexOf(next, character);
    at = resume >= 0 ? resume : character;
    return [start, at];
  });
}

function bare(token: string, first: boolean, { continuation, wordEnd }: Spelling): string {
  const head = !first && continuation !== '' && token.startsWith(continuation) ? token.slice(continuation.length) : token;
  return wordEnd !== '' && head.endsWith(wordEnd) ? head.slice(0, -wordEnd.length) : head;
}

const characterWidth = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);

/** The original range of the surface's units [from, to). */
export function originalRange(surface: Aligned, from: number, to: number): readonly [start: number, end: number] {
  if (to > from) return [surface.starts[from] as number, surface.ends[to - 1] as number];
  const here = surface.starts[from] ?? surface.ends[from - 1] ?? 0;
  return [here, here];
}
