import { Tokenizer } from '@huggingface/tokenizers';
import { tokenizerInvalid } from './errors.js';
import type { Step, TokenizerConfig, TokenizerJson } from './tokenizerJson.js';

/** The parts of @huggingface/tokenizers that are used here; its own declarations do not resolve in a Node ESM project. */
export interface Library {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: { pre_tokenize(text: string, options: { readonly section_index: number }): string[] } | null;
  readonly model: {
    /** Tokens of pre-tokens; unknown ones are not in `tokens_to_ids`, or are the unknown token. */
    _call(pieces: readonly string[]): string[];
    readonly vocab: readonly (string | undefined)[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number | null;
  };
  readonly post_processor: { post_process(tokens: string[], pair: null, special: boolean): { readonly tokens: string[] } } | null;
  decode(ids: readonly number[], options: { readonly clean_up_tokenization_spaces: boolean }): string;
}

/** @throws TOKENIZER_INVALID when the library refuses a part of the file */
export function openLibrary(json: TokenizerJson, config: TokenizerConfig): Library {
  try {
    return new Tokenizer(json, config);
  } catch (cause) {
    throw tokenizerInvalid((cause as Error).message, cause);
  }
}

/** The normaliser alone. */
export function normaliserOf(normalizers: readonly Step[]): (text: string) => string {
  const { normalizer } = openLibrary(
    {
      added_tokens: [],
      normalizer: { type: 'Sequence', normalizers },
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab: {}, merges: [] },
    },
    {},
  );
  return (text) => normalizer?.normalize(text) ?? text;
}
