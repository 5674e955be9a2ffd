import type { TokenOrigin, TokenRole } from '../protocol/tokens.js';

/** One interface over every tokenizer library. */
export interface Piece {
  readonly id: number;
  /** The token decoded alone ('�' where it ends inside a character). */
  readonly text: string;
  /** UTF-16 offsets in the encoded text; special tokens that were added have start = end. */
  readonly start: number;
  readonly end: number;
}

export interface EncodeOptions {
  /** Add what the tokenizer's post-processor adds (BOS …), default true. */
  readonly special?: boolean;
  /** The text goes on from a place where it may be cut (`cutsAtLines`): nothing is put before it. Default false. */
  readonly continues?: boolean;
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface Tokenizer {
  /** `bpe`, `unigram`, `wordpiece`, `rwkv_world` … */
  readonly kind: string;
  readonly vocabSize: number;
  readonly bos: number | null;
  /** Ids that end a generation, as the tokenizer knows them (the model's generation config may add more). */
  readonly eos: readonly number[];
  /** True when encoding the parts of a text that is cut after a line break and before a letter or digit is encoding the whole. */
  readonly cutsAtLines: boolean;
  /** Special tokens in the text are recognised where the library does so. */
  encode(text: string, options?: EncodeOptions): readonly Piece[];
  /** Whole-sequence decode; special tokens skipped unless asked for. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  /** The raw bytes a token stands for (empty for special tokens without bytes). */
  bytes(id: number): Uint8Array;
  /** Display text of one token, whatever it is. */
  text(id: number): string;
  role(id: number): TokenRole;
  /** Why this token; for an id without a token, as for an unknown one. */
  origin(id: number): TokenOrigin;
  /** Null when the model carries no chat template. Throws a coded error when the template refuses the messages. */
  readonly renderChat: ((messages: readonly ChatMessage[]) => string) | null;
}
