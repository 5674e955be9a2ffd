import { type Difference, TOKEN_ROLES, type VocabularyId } from '../protocol/tokens.js';
import { utf8 } from '../tokenizer/bytes.js';
import { encodePart } from '../tokenizer/cuts.js';
import { roundTrip } from '../tokenizer/roundTrip.js';
import { scriptNames, scriptsOf, WHITE_SPACE } from '../tokenizer/scripts.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Chunk } from './chunkedText.js';

/** The tokens of a chunk in one vocabulary; offsets from the chunk's start. */
export interface EncodedChunk {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** By TOKEN_ROLES. */
  readonly roles: Int32Array;
  /** By scriptNames: tokens that begin in that script, white space before it aside. */
  readonly scripts: Int32Array;
  readonly difference: Difference | null;
}

/** What is known of a chunk's text whatever the vocabulary. */
export interface ChunkText {
  readonly kinds: Uint8Array;
  /** Characters by scriptNames. */
  readonly characters: Int32Array;
  readonly words: number;
  readonly bytes: number;
  readonly lineBreaks: number;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

export const textOf = (chunk: Chunk): ChunkText =>
  chunk.fact('text', ({ text }) => {
    let words = 0;
    for (const { isWordLike } of segmenter.segment(text)) if (isWordLike) words++;
    return { ...scriptsOf(text), words, bytes: utf8(text).length, lineBreaks: text.split('\n').length - 1 };
  });

const key = (id: VocabularyId): string => `tokens ${id}`;

export const isEncoded = (id: VocabularyId, chunk: Chunk): boolean => chunk.knows(key(id));

/** Its tokens, encoded at the first question. */
export const encoded = (id: VocabularyId, tokenizer: Tokenizer, chunk: Chunk): EncodedChunk =>
  chunk.fact(key(id), (part) => encode(tokenizer, part));

function encode(tokenizer: Tokenizer, chunk: Chunk): EncodedChunk {
  const { text, following, isFirst } = chunk;
  const pieces = encodePart(tokenizer, text, following, !isFirst);
  const ids = Int32Array.from(pieces, ({ id }) => id);
  const { kinds } = textOf(chunk);
  const roles = new Int32Array(TOKEN_ROLES.length);
  const scripts = new Int32Array(scriptNames.length);
  const count = (counts: Int32Array, at: number) => {
    counts[at] = (counts[at] as number) + 1;
  };
  for (const { id, start, end } of pieces) {
    count(roles, TOKEN_ROLES.indexOf(tokenizer.role(id)));
    let at = start;
    while (at < end - 1 && kinds[at] === WHITE_SPACE) at++;
    // A mark before the text stands for none of it.
    if (text !== '') count(scripts, kinds[Math.min(at, text.length - 1)] as number);
  }
  return {
    ids,
    starts: Int32Array.from(pieces, ({ start }) => start),
    ends: Int32Array.from(pieces, ({ end }) => end),
    roles,
    scripts,
    difference: roundTrip(tokenizer, text, [...ids]),
  };
}
