/**
 * RWKV's World tokenizer: the longest vocabulary entry that matches the bytes, from left to right.
 * The vocabulary, media/tokenizers/rwkv_vocab_v20230424.txt.br, is rwkv_vocab_v20230424.txt of the PyPI package rwkv
 * (BlinkDL, Apache-2.0), compressed with brotli and otherwise unchanged: one `id literal length` a line, in Python's literals.
 */
import { once } from '../protocol/once.js';
import type { TokenOrigin, TokenPart, TokenRole } from '../protocol/tokens.js';
import { charactersOf, decodeUtf8, utf8 } from './bytes.js';
import { crossesCut } from './cuts.js';
import { tokenizerInvalid } from './errors.js';
import { readVocabulary } from './media.js';
import type { Piece, Tokenizer } from './tokenizer.js';
import { Trie } from './trie.js';

/** Id 0 is in no text: RWKV trains with it between documents, and it ends a generation. */
const END_OF_TEXT = 0;
const LINE_BREAK = 0x0a;
const END_OF_TEXT_NAME = '<|endoftext|>';
/** Rows of the embedding of every World model; the last ids are unused. */
const VOCAB_SIZE = 65536;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The bytes of a Python literal: 'text' as UTF-8, b'…' as they are. */
function parseLiteral(literal: string): Uint8Array {
  const isBytes = literal.startsWith('b');
  const body = literal.slice(isBytes ? 2 : 1, -1);
  const text = body.replace(/\\(?:x(..)|u(.{4})|U(.{8})|(.))/gs, (_, x, u, U, character) => {
    const code = x ?? u ?? U;
    return code === undefined ? (ESCAPES[character] ?? character) : String.fromCodePoint(Number.parseInt(code, 16));
  });
  return isBytes ? Uint8Array.from(text, (unit) => unit.charCodeAt(0)) : utf8(text);
}

export class RwkvWorldTokenizer implements Tokenizer {
  readonly kind = 'rwkv_world';
  readonly vocabSize = VOCAB_SIZE;
  readonly bos = null;
  readonly eos = [END_OF_TEXT];
  readonly renderChat = null;
  readonly #trie = new Trie(256);
  readonly #bytes: Uint8Array[] = [];
  readonly cutsAtLines: boolean;
  readonly #texts: string[] = [];

  /** @param vocabulary text of the file named above */
  constructor(vocabulary: string) {
    for (const line of vocabulary.split('\n')) {
      if (line === '') continue;
      const first = line.indexOf(' ');
      const last = line.lastIndexOf(' ');
      const id = Number(line.slice(0, first));
      const bytes = parseLiteral(line.slice(first + 1, last));
      if (bytes.length !== Number(line.slice(last + 1)))
        throw tokenizerInvalid(`entry ${id} of RWKV's vocabulary has a wrong length`);
      this.#bytes[id] = bytes;
      this.#trie.add(bytes, id);
    }
    this.cutsAtLines = !this.#bytes.some((bytes) => bytes.includes(LINE_BREAK) && crossesCut(decodeUtf8([bytes])));
  }

  encode(text: string): readonly Piece[] {
    const bytes = utf8(text);
    const { starts, ends } = charactersOf(text, bytes.length);
    const pieces: Piece[] = [];
    for (let at = 0; at < bytes.length; ) {
      // Every single byte is an entry, so there always is a match.
      const { value: id, end } = this.#trie.longest(bytes, at) as { value: number; end: number };
      pieces.push({ id, text: this.text(id), start: starts[at] as number, end: ends[end - 1] as number });
      at = end;
    }
    return pieces;
  }

  decode(ids: readonly number[], options: { readonly skipSpecial?: boolean } = {}): string {
    const end = (options.skipSpecial ?? true) ? new Uint8Array() : utf8(END_OF_TEXT_NAME);
    return decodeUtf8(ids.map((id) => (id === END_OF_TEXT ? end : this.bytes(id))));
  }

  role(id: number): TokenRole {
    if (id === END_OF_TEXT) return 'special';
    return this.#bytes[id] === undefined ? 'unknown' : 'text';
  }

  origin(id: number): TokenOrigin {
    const role = this.role(id);
    if (role !== 'text') return { how: role };
    const bytes = this.bytes(id);
    const shorter: TokenPart[] = [];
    for (let length = 1; length < bytes.length; length++) {
      const match = this.#trie.longest(bytes.subarray(0, length), 0);
      if (match?.end === length)
        shorter.push({ id: match.value, text: this.text(match.value), bytes: [...this.bytes(match.value)] });
    }
    return { how: 'longest', shorter };
  }

  bytes(id: number): Uint8Array {
    return this.#bytes[id] ?? new Uint8Array();
  }

  text(id: number): string {
    if (id === END_OF_TEXT) return END_OF_TEXT_NAME;
    const bytes = this.#bytes[id];
    if (!bytes) return `[${id}]`;
    const text = this.#texts[id] ?? decodeUtf8([bytes]);
    this.#texts[id] = text;
    return text;
  }
}

/** The one World tokenizer, built at first use (a quarter of a second) and shared by all models. */
export const rwkvWorld = once(async () => new RwkvWorldTokenizer(await readVocabulary('rwkv_vocab_v20230424.txt.br')));
