import { Tokenizer } from '@huggingface/tokenizers';
import { tokenizerInvalid } from './errors.js';
import { exactNormalizer } from './normalizers.js';
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

/**
 * The library at work on one file. It checks little of what it reads and trips over the rest when it first comes to it, so that every
 * call of it can find a fault of the file.
 * @throws TOKENIZER_INVALID from here and from every function of the result
 */
export function openLibrary(json: TokenizerJson, config: TokenizerConfig): Library {
  const library = refusing((): Library => new Tokenizer({ ...json, normalizer: exactNormalizer(json.normalizer) }, config))();
  const { normalizer, pre_tokenizer, model, post_processor } = library;
  return {
    normalizer: normalizer && { normalize: refusing((text) => normalizer.normalize(text)) },
    pre_tokenizer: pre_tokenizer && { pre_tokenize: refusing((text, options) => pre_tokenizer.pre_tokenize(text, options)) },
    model: {
      _call: refusing((pieces) => model._call(pieces)),
      vocab: model.vocab,
      tokens_to_ids: model.tokens_to_ids,
      // that of a vocabulary of words the library looks for in tokenizer_config.json
      unk_token_id: model.unk_token_id ?? model.tokens_to_ids.get(String(json.model.unk_token)) ?? null,
    },
    post_processor: post_processor && {
      post_process: refusing((tokens, pair, special) => post_processor.post_process(tokens, pair, special)),
    },
    decode: refusing((ids, options) => library.decode(ids, options)),
  };
}

function refusing<A extends readonly unknown[], R>(call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return call(...args);
    } catch (cause) {
      throw tokenizerInvalid(cause instanceof Error ? cause.message : String(cause), cause);
    }
  };
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
