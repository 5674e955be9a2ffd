/** One interface over every tokenizer library. */
export interface Piece {
  readonly id: number;
  /** The token decoded alone ('�' where it ends inside a character). */
  readonly text: string;
  /** UTF-16 offsets in the encoded text; special tokens that were added have start = end. */
  readonly start: number;
  readonly end: number;
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
  /** `special`: add what the tokenizer's post-processor adds (BOS …), default true. Special tokens in the text are recognised. */
  encode(text: string, options?: { readonly special?: boolean }): readonly Piece[];
  /** Whole-sequence decode; special tokens skipped unless asked for. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  /** The raw bytes a token stands for (empty for special tokens without bytes). */
  bytes(id: number): Uint8Array;
  /** Display text of one token, whatever it is. */
  text(id: number): string;
  /** Null when the model carries no chat template. Throws a coded error when the template refuses the messages. */
  readonly renderChat: ((messages: readonly ChatMessage[]) => string) | null;
}
