import type { TextChange } from '../protocol/tokens.js';
import { CUT } from '../tokenizer/cuts.js';

/** A chunk is cut at the first place where it may be behind this many UTF-16 units. */
const CHUNK = 2048;

/**
 * A stretch of a text that is encoded by itself, with what was computed of it. It never changes: an edit makes new ones of those it touches,
 * and everything known of the others holds.
 */
export class Chunk {
  readonly #facts = new Map<string, unknown>();

  constructor(
    readonly text: string,
    /** The character behind it, '' at the end. */
    readonly following: string,
    readonly isFirst: boolean,
  ) {}

  knows(key: string): boolean {
    return this.#facts.has(key);
  }

  /** What `compute` said of this chunk, once. */
  fact<T>(key: string, compute: (chunk: Chunk) => T): T {
    if (!this.#facts.has(key)) this.#facts.set(key, compute(this));
    return this.#facts.get(key) as T;
  }
}

/** One version of a text in chunks of a few thousand characters, cut at line breaks. Edits cost as much as the chunks that they touch. */
export class ChunkedText {
  readonly length: number;
  #whole: Chunk | null = null;

  private constructor(
    readonly version: number,
    readonly chunks: readonly Chunk[],
  ) {
    this.length = chunks.reduce((sum, { text }) => sum + text.length, 0);
  }

  static of(text: string, version: number): ChunkedText {
    return new ChunkedText(version, cut(text, '', true));
  }

  /** All of it as one, for tokenizers that cannot do with parts. */
  get whole(): Chunk {
    this.#whole ??= new Chunk(this.chunks.map(({ text }) => text).join(''), '', true);
    return this.#whole;
  }

  /** The next version, with the chunks of this one where nothing changed. */
  edited(changes: readonly TextChange[], version: number): ChunkedText {
    return new ChunkedText(version, changes.reduce(edit, this.chunks));
  }
}

function edit(chunks: readonly Chunk[], { from, to, text }: TextChange): readonly Chunk[] {
  const { first, last, start } = touched(chunks, from, to);
  const old = chunks
    .slice(first, last + 1)
    .map((chunk) => chunk.text)
    .join('');
  const changed = old.slice(0, from - start) + text + old.slice(to - start);
  const after = chunks.slice(last + 1);
  const following = after[0] ? firstCharacter(after[0].text) : '';
  return [...chunks.slice(0, first), ...cut(changed, following, first === 0), ...after];
}

/** Chunks that an edit changes: those it is in, and the one before when the character behind that may be another. */
function touched(chunks: readonly Chunk[], from: number, to: number): { first: number; last: number; start: number } {
  let [first, start] = find(chunks, from);
  const [last] = find(chunks, to);
  if (first > 0 && from - start < 2) {
    first--;
    start -= (chunks[first] as Chunk).text.length;
  }
  return { first, last, start };
}

/** Index and start of the chunk that holds the offset; at a border, the later one. */
function find(chunks: readonly Chunk[], offset: number): [index: number, start: number] {
  let start = 0;
  for (const [index, { text }] of chunks.entries()) {
    if (offset < start + text.length || index === chunks.length - 1) return [index, start];
    start += text.length;
  }
  return [0, 0];
}

const firstCharacter = (text: string): string => String.fromCodePoint(text.codePointAt(0) ?? 0).slice(0, text.length);

/** At least one chunk, an empty one for an empty text. */
function cut(text: string, following: string, isFirst: boolean): Chunk[] {
  const borders: number[] = [0];
  for (const { index } of text.matchAll(CUT)) if (index - (borders.at(-1) as number) >= CHUNK) borders.push(index);
  const parts = borders.map((start, i) => text.slice(start, borders[i + 1] ?? text.length));
  return parts.map((part, i) => {
    const next = parts[i + 1];
    return new Chunk(part, next === undefined ? following : firstCharacter(next), isFirst && i === 0);
  });
}
