import { BytePairEncodingCore, type RawBytePairRanks } from 'gpt-tokenizer/BytePairEncodingCore';
import { charactersOf, decodeUtf8, utf8 } from './bytes.js';
import { stretchTooLong } from './errors.js';
import type { Piece, Tokenizer } from './tokenizer.js';

/** What tiktoken calls an encoding, but for its special tokens, which are not looked for in text. */
export interface Encoding {
  /** By rank: the token as text, or as bytes when it is not UTF-8. */
  readonly ranks: RawBytePairRanks;
  /** How text is cut before merging, as gpt-tokenizer writes it. */
  readonly split: RegExp;
  readonly special: Readonly<Record<string, number>>;
}

const END_OF_TEXT = '<|endoftext|>';

/** UTF-16 units that are merged in about a second. */
const LONGEST_STRETCH = 1 << 15;

/**
 * OpenAI's vocabularies. The library cuts and merges; as tiktoken does unless told otherwise, it takes the names of special
 * tokens for text. Tokens have no offsets there: they are counted along the UTF-8 bytes.
 */
export class OpenAiTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabSize: number;
  readonly bos = null;
  readonly eos: readonly number[];
  readonly renderChat = null;
  readonly #core: BytePairEncodingCore;
  readonly #ranks: RawBytePairRanks;
  readonly #split: RegExp;
  readonly #special: ReadonlyMap<number, string>;

  constructor({ ranks, split, special }: Encoding) {
    this.#ranks = ranks;
    this.#split = exact(split);
    this.#special = new Map(Object.entries(special).map(([name, id]) => [id, name]));
    this.#core = new BytePairEncodingCore({
      bytePairRankDecoder: ranks,
      specialTokensEncoder: new Map(Object.entries(special)),
      tokenSplitRegex: this.#split,
    });
    lookUpMarks(this.#core, ranks);
    this.vocabSize = Math.max(ranks.length, ...Object.values(special).map((id) => id + 1));
    this.eos = [special[END_OF_TEXT]].filter((id) => id !== undefined);
  }

  /** @throws TEXT_TOO_LONG for tens of thousands of letters in a row */
  encode(text: string): readonly Piece[] {
    if (text.length > LONGEST_STRETCH) this.#refuseLongStretches(text);
    const { starts, ends } = charactersOf(text, utf8(text).length);
    let at = 0;
    return this.#core.encodeNative(text).map((id) => {
      const start = starts[at] as number;
      at += this.bytes(id).length;
      return { id, text: this.text(id), start, end: ends[at - 1] as number };
    });
  }

  #refuseLongStretches(text: string): void {
    for (const { 0: stretch, index } of text.matchAll(this.#split))
      if (stretch.length > LONGEST_STRETCH) throw stretchTooLong(index, stretch.length, LONGEST_STRETCH);
  }

  decode(ids: readonly number[], options: { readonly skipSpecial?: boolean } = {}): string {
    const skip = options.skipSpecial ?? true;
    return decodeUtf8(ids.map((id) => (this.#special.has(id) && !skip ? utf8(this.text(id)) : this.bytes(id))));
  }

  bytes(id: number): Uint8Array {
    const token = this.#ranks[id] ?? '';
    return typeof token === 'string' ? utf8(token) : Uint8Array.from(token);
  }

  text(id: number): string {
    return this.#special.get(id) ?? (this.#ranks[id] === undefined ? `[${id}]` : decodeUtf8([this.bytes(id)]));
  }
}

/** The expression as Rust reads it: its white space is Unicode's, and in (?i:'s) the long s is an s. */
const exact = ({ source }: RegExp): RegExp =>
  new RegExp(
    source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}').replaceAll('[sS]', '[sSſ]'),
    'gu',
  );

const startsWithMark = (bytes: ArrayLike<number>): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** gpt-tokenizer 4.0.0 drops a byte order mark from the bytes it looks up, and so takes "\ufeffusing" for "using". */
function lookUpMarks(core: BytePairEncodingCore, ranks: RawBytePairRanks): void {
  const marked = new Map(
    ranks.flatMap((token, id) => (typeof token !== 'string' && startsWithMark(token) ? [[token.join(), id] as const] : [])),
  );
  const library = core as unknown as { getBpeRankFromBytes: (bytes: Uint8Array) => number | undefined };
  const lookUp = library.getBpeRankFromBytes.bind(core);
  library.getBpeRankFromBytes = (bytes) => (startsWithMark(bytes) ? marked.get(bytes.join()) : lookUp(bytes));
}
