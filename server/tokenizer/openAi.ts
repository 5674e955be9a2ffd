import { BytePairEncodingCore, type RawBytePairRanks } from 'gpt-tokenizer/BytePairEncodingCore';
import type { TokenOrigin, TokenPart, TokenRole } from '../protocol/tokens.js';
import { charactersOf, decodeUtf8, utf8 } from './bytes.js';
import { separatesLines } from './cuts.js';
import { mergeLong } from './mergeLong.js';
import { mergeTree } from './merges.js';
import type { Piece, Tokenizer } from './tokenizer.js';

/** What tiktoken calls an encoding, but for its special tokens, which are not looked for in text. */
export interface Encoding {
  /** By rank: the token as text, or as bytes when it is not UTF-8. */
  readonly ranks: RawBytePairRanks;
  /** How text is cut before merging, as gpt-tokenizer writes it. */
  readonly split: RegExp;
  readonly special: Readonly<Record<string, number>>;
}

/** The first tokens are the bytes. */
const ALPHABET = 256;

const END_OF_TEXT = '<|endoftext|>';

/** UTF-16 units without a place to split that the library merges in no time. */
const LONG_STRETCH = 1 << 10;

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
  #cuts: boolean | null = null;
  #idOf: ReadonlyMap<string, number> | null = null;

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

  get cutsAtLines(): boolean {
    this.#cuts ??= separatesLines((text) => text.match(this.#split) ?? []);
    return this.#cuts;
  }

  encode(text: string): readonly Piece[] {
    const { starts, ends } = charactersOf(text, utf8(text).length);
    let at = 0;
    return this.#encodeIds(text).map((id) => {
      const start = starts[at] as number;
      at += this.bytes(id).length;
      return { id, text: this.text(id), start, end: ends[at - 1] as number };
    });
  }

  /** The library's time grows with the square of a stretch's length. */
  #encodeIds(text: string): readonly number[] {
    if (text.length <= LONG_STRETCH || !this.#hasLongStretch(text)) return this.#core.encodeNative(text);
    const ids = this.#ids();
    return (text.match(this.#split) ?? []).flatMap((stretch) => {
      const bytes = latin1(utf8(stretch));
      const whole = ids.get(bytes);
      return whole === undefined ? mergeLong(bytes, ids) : [whole];
    });
  }

  #hasLongStretch(text: string): boolean {
    for (const { 0: stretch } of text.matchAll(this.#split)) if (stretch.length > LONG_STRETCH) return true;
    return false;
  }

  decode(ids: readonly number[], options: { readonly skipSpecial?: boolean } = {}): string {
    const skip = options.skipSpecial ?? true;
    return decodeUtf8(ids.map((id) => (this.#special.has(id) && !skip ? utf8(this.text(id)) : this.bytes(id))));
  }

  bytes(id: number): Uint8Array {
    const token = this.#ranks[id] ?? '';
    return typeof token === 'string' ? utf8(token) : Uint8Array.from(token);
  }

  role(id: number): TokenRole {
    if (this.#special.has(id)) return 'special';
    return this.#ranks[id] === undefined ? 'unknown' : 'text';
  }

  origin(id: number): TokenOrigin {
    const role = this.role(id);
    if (role !== 'text') return { how: role };
    const idOf = this.#ids();
    const part = (spelling: string): TokenPart => {
      const bytes = Uint8Array.from(spelling, (unit) => unit.charCodeAt(0));
      return { id: idOf.get(spelling) ?? null, text: decodeUtf8([bytes]), bytes: [...bytes] };
    };
    const join = (left: string, right: string) => left + right;
    const tree = mergeTree([...latin1(this.bytes(id))], { rank: (left, right) => idOf.get(left + right), join, part });
    return { how: 'merges', tree, order: 'ids', merges: idOf.size - ALPHABET };
  }

  #ids(): ReadonlyMap<string, number> {
    if (this.#idOf) return this.#idOf;
    const idOf = new Map<string, number>();
    // forEach, as p50k_base has a hole where its special token is.
    this.#ranks.forEach((_, rank) => {
      idOf.set(latin1(this.bytes(rank)), rank);
    });
    this.#idOf = idOf;
    return idOf;
  }

  text(id: number): string {
    return this.#special.get(id) ?? (this.#ranks[id] === undefined ? `[${id}]` : decodeUtf8([this.bytes(id)]));
  }
}

/** Bytes as a string that a map can have for its key. */
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

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
