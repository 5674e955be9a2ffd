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

/** A text in chunks of a few thousand characters, cut at line breaks. Edits cost as much as the chunks that they touch. */
export class ChunkedText {
  #chunks: readonly Chunk[];
  #whole: Chunk | null = null;
  #length: number;

  constructor(
    text: string,
    public version: number,
  ) {
    this.#chunks = cut(text, '', true);
    this.#length = text.length;
  }

  get length(): number {
    return this.#length;
  }

  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** All of it as one, for tokenizers that cannot do with parts. */
  get whole(): Chunk {
    this.#whole ??= new Chunk(this.#chunks.map(({ text }) => text).join(''), '', true);
    return this.#whole;
  }

  apply({ from, to, text }: TextChange): void {
    const { first, last, start } = this.#touched(from, to);
    const old = this.#chunks
      .slice(first, last + 1)
      .map((chunk) => chunk.text)
      .join('');
    const edited = old.slice(0, from - start) + text + old.slice(to - start);
    const after = this.#chunks.slice(last + 1);
    const following = after[0] ? firstCharacter(after[0].text) : '';
    const cuts = cut(edited, following, first === 0);
    this.#chunks = [...this.#chunks.slice(0, first), ...cuts, ...after];
    this.#whole = null;
    this.#length += text.length - (to - from);
  }

  /** Chunks that an edit changes: those it is in, and the one before when the character behind that may be another. */
  #touched(from: number, to: number): { first: number; last: number; start: number } {
    let [first, start] = this.#at(from);
    const [last] = this.#at(to);
    if (first > 0 && from - start < 2) {
      first--;
      start -= (this.#chunks[first] as Chunk).text.length;
    }
    return { first, last, start };
  }

  /** Index and start of the chunk that holds the offset; at a border, the later one. */
  #at(offset: number): [index: number, start: number] {
    let start = 0;
    for (const [index, { text }] of this.#chunks.entries()) {
      if (offset < start + text.length || index === this.#chunks.length - 1) return [index, start];
      start += text.length;
    }
    return [0, 0];
  }
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
