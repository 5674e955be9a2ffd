import type { TokenOrigin, TokenPart, TokenRole } from '../protocol/tokens.js';
import { AddedTokens } from './addedTokens.js';
import { type Aligned, alignNormalised, identity, relabel } from './alignment.js';
import { bytesOfToken, decodeUtf8, toByteAlphabet, utf8 } from './bytes.js';
import { chatRenderer, chooseTemplate, type SpecialTokens } from './chatTemplate.js';
import { tokenizerInvalid } from './errors.js';
import { type Library, normaliserOf, openLibrary } from './library.js';
import { cutsAtLines } from './lineCuts.js';
import { measureTokens, originalRange, placePieces, type Spelling } from './offsets.js';
import { originsOf } from './origins.js';
import { exactPreTokenizer } from './preTokenizers.js';
import { type Alphabet, alphabetOf, type Decoding, decodingOf, spellingOf } from './spelling.js';
import type { EncodeOptions, Piece, Tokenizer } from './tokenizer.js';
import { type AddedTokenJson, flatten, type TokenizerConfig, type TokenizerJson } from './tokenizerJson.js';

/** What acts at the ends of a text only, and would act on every fragment of it. */
const AT_ENDS = new Set(['Prepend', 'Strip']);
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;

/** Pre-tokens kept with their tokens, and the longest that is worth it. */
const PIECES_REMEMBERED = 20_000;
const LONGEST_REMEMBERED = 64;

interface TokenOfPiece {
  readonly id: number;
  /** In UTF-16 units of the pre-token. */
  readonly from: number;
  readonly to: number;
}

/**
 * Hugging Face's tokenizer.json. Its library computes the normalisation, the pre-tokens and the model's tokens; the offsets,
 * the added tokens and the bytes are ours, since the library has no offsets.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly kind: string;
  readonly vocabSize: number;
  readonly bos: number | null;
  readonly eos: readonly number[];
  readonly renderChat: Tokenizer['renderChat'];

  readonly #library: Library;
  readonly #added: ReadonlyMap<number, AddedTokenJson>;
  readonly #beforeNormalising: AddedTokens;
  readonly #afterNormalising: AddedTokens;
  readonly #localNormalise: (text: string) => string;
  readonly #alphabet: Alphabet;
  readonly #spelling: Spelling;
  readonly #texts: string[] = [];
  readonly #origin: (id: number) => TokenOrigin;
  readonly #cutsAtLines: () => boolean;
  #cuts: boolean | null = null;
  readonly #pieces = new Map<string, readonly TokenOfPiece[]>();
  /** Ids the post-processor puts before and after the text. */
  readonly #around: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly #decoding: Decoding;

  /** @throws TOKENIZER_INVALID when the library refuses a part of the file */
  constructor(json: TokenizerJson, config: TokenizerConfig, chatTemplate: string | null, eos?: readonly number[]) {
    const library = openLibrary({ ...json, pre_tokenizer: exactPreTokenizer(json) }, config);
    this.#library = library;
    this.kind = json.model.type.toLowerCase();
    this.vocabSize = library.model.vocab.length;
    this.#added = new Map(json.added_tokens.map((token) => [token.id, token]));
    const normalised = (token: AddedTokenJson) => library.normalizer !== null && (token.normalized ?? token.special !== true);
    this.#beforeNormalising = new AddedTokens(
      json.added_tokens.filter((token) => !normalised(token)).map((token) => [token.content, token]),
    );
    this.#afterNormalising = new AddedTokens(
      json.added_tokens.filter(normalised).map((token) => [library.normalizer?.normalize(token.content) ?? token.content, token]),
    );
    this.#localNormalise = normaliserOf(flatten(json.normalizer).filter((step) => !AT_ENDS.has(step.type)));
    this.#alphabet = alphabetOf(json);
    this.#spelling = spellingOf(json);
    this.#decoding = decodingOf(json);
    this.#around = this.#specialAround();
    const { vocab: names, tokens_to_ids: ids } = library.model;
    this.#origin = originsOf(json, { names, ids, show: (id) => this.#part(id) });
    this.#cutsAtLines = () => cutsAtLines(json, library, this.#localNormalise);
    const special = specialTokens(config);
    const id = (name: string) => (special[name] === undefined ? undefined : library.model.tokens_to_ids.get(special[name]));
    this.bos = id('bos_token') ?? null;
    this.eos = eos ?? [id('eos_token')].filter((each) => each !== undefined);
    this.renderChat = chatRenderer(chooseTemplate(chatTemplate, config.chat_template), special);
  }

  get cutsAtLines(): boolean {
    this.#cuts ??= this.#cutsAtLines();
    return this.#cuts;
  }

  encode(text: string, options: EncodeOptions = {}): readonly Piece[] {
    const pieces: Piece[] = [];
    const add = (id: number, start: number, end: number) => pieces.push({ id, text: this.text(id), start, end });
    const { special = true, continues = false } = options;
    if (special) for (const id of this.#around.before) add(id, 0, 0);
    for (const { token, text: section } of this.#beforeNormalising.split(identity(text, 0))) {
      if (token) add(token.id, ...originalRange(section, 0, section.text.length));
      else this.#encodeSection(section, continues, add);
    }
    if (special) for (const id of this.#around.after) add(id, text.length, text.length);
    return pieces;
  }

  #encodeSection(section: Aligned, continues: boolean, add: (id: number, start: number, end: number) => void): void {
    const base = section.starts[0] as number;
    const { normalizer } = this.#library;
    const inside = continues && base === 0;
    const normalise = (text: string) => (inside ? this.#localNormalise(text) : (normalizer?.normalize(text) ?? text));
    const normalised =
      normalizer === null ? section : alignNormalised(section.text, base, normalise(section.text), this.#localNormalise);
    for (const { token, text } of this.#afterNormalising.split(normalised)) {
      if (token) add(token.id, ...originalRange(text, 0, text.text.length));
      else this.#encodeText(text, base === 0 && !continues ? 0 : 1, add);
    }
  }

  #encodeText(text: Aligned, section: number, add: (id: number, start: number, end: number) => void): void {
    const { pre_tokenizer } = this.#library;
    const surface =
      this.#alphabet === 'bytes'
        ? toByteAlphabet(text)
        : this.#alphabet === 'mark'
          ? relabel(text, text.text.replaceAll(' ', '▁'))
          : text;
    const pieces = pre_tokenizer === null ? [text.text] : pre_tokenizer.pre_tokenize(text.text, { section_index: section });
    const words = pieces.filter((piece) => piece !== '');
    for (const { text: piece, at, mark } of placePieces(surface.text, words)) {
      for (const { id, from, to } of this.#tokensOf(piece))
        add(id, ...originalRange(surface, Math.max(at, at + from - mark), at + to - mark));
    }
  }

  /** The tokens of a pre-token, with their places in it. Words repeat, so they are remembered. */
  #tokensOf(piece: string): readonly TokenOfPiece[] {
    const known = this.#pieces.get(piece);
    if (known) return known;
    const { model } = this.#library;
    const names = model._call([piece]);
    const ranges = measureTokens(piece, names, this.#spelling);
    const tokens = names.flatMap((name, index) => {
      const id = model.tokens_to_ids.get(name) ?? model.unk_token_id;
      const [from, to] = ranges[index] as readonly [number, number];
      return id === undefined || id === null ? [] : [{ id, from, to }];
    });
    if (piece.length > LONGEST_REMEMBERED) return tokens;
    if (this.#pieces.size >= PIECES_REMEMBERED) this.#pieces.clear();
    this.#pieces.set(piece, tokens);
    return tokens;
  }

  /** Runs the post-processor around a stand-in for the text. */
  #specialAround() {
    const { post_processor } = this.#library;
    if (post_processor === null) return { before: [], after: [] };
    const text = '\0text';
    const tokens = post_processor.post_process([text], null, true).tokens;
    const at = tokens.indexOf(text);
    if (at < 0) throw tokenizerInvalid('the post-processor leaves the text out');
    const ids = (part: readonly string[]) =>
      part.map((token) => {
        const id = this.#library.model.tokens_to_ids.get(token);
        if (id === undefined)
          throw tokenizerInvalid(`the post-processor adds ${JSON.stringify(token)}, which is not in the vocabulary`);
        return id;
      });
    return { before: ids(tokens.slice(0, at)), after: ids(tokens.slice(at + 1)) };
  }

  decode(ids: readonly number[], options: { readonly skipSpecial?: boolean } = {}): string {
    const skip = options.skipSpecial ?? true;
    const kept = skip ? ids.filter((id) => this.#added.get(id)?.special !== true) : ids;
    if (kept.length === 0) return '';
    if (this.#decoding.by === 'library') return this.#library.decode(kept, { clean_up_tokenization_spaces: false });
    const text = decodeUtf8(kept.map((id) => (this.#added.get(id)?.special === true ? utf8(this.text(id)) : this.bytes(id))));
    return this.#decoding.stripsSpace && text.startsWith(' ') ? text.slice(1) : text;
  }

  bytes(id: number): Uint8Array {
    const added = this.#added.get(id);
    if (added?.special === true) return new Uint8Array();
    const token = added?.content ?? this.#library.model.vocab[id];
    if (token === undefined) return new Uint8Array();
    if (this.#alphabet === 'bytes') return bytesOfToken(token);
    const byte = BYTE_TOKEN.exec(token);
    if (byte) return Uint8Array.of(Number.parseInt(byte[1] as string, 16));
    const { continuation, wordEnd } = this.#spelling;
    const { mark } = this.#decoding;
    let text = continuation !== '' && token.startsWith(continuation) ? token.slice(continuation.length) : token;
    if (wordEnd !== '' && text.endsWith(wordEnd)) text = `${text.slice(0, -wordEnd.length)} `;
    return utf8(mark === null ? text : text.replaceAll(mark, ' '));
  }

  role(id: number): TokenRole {
    const { model } = this.#library;
    if (id === model.unk_token_id) return 'unknown';
    const added = this.#added.get(id);
    if (added) return added.special === true ? 'special' : 'added';
    const name = model.vocab[id];
    if (name === undefined) return 'unknown';
    return this.#spelling.byteFallback && BYTE_TOKEN.test(name) ? 'byte' : 'text';
  }

  origin(id: number): TokenOrigin {
    const role = this.role(id);
    return role === 'text' ? this.#origin(id) : { how: role };
  }

  #part(id: number): TokenPart {
    return { id, text: this.text(id), bytes: [...this.bytes(id)] };
  }

  text(id: number): string {
    const known = this.#texts[id];
    if (known !== undefined) return known;
    const added = this.#added.get(id);
    if (!added && this.#library.model.vocab[id] === undefined) return `[${id}]`;
    const text = added?.special === true ? added.content : decodeUtf8([this.bytes(id)]);
    this.#texts[id] = text;
    return text;
  }
}

/** `bos_token` and the like from tokenizer_config.json, where each is a string or an added token. */
function specialTokens(config: TokenizerConfig): SpecialTokens {
  const special: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith('_token')) continue;
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    if (typeof content === 'string') special[name] = content;
  }
  return special;
}
