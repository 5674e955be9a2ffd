import type { ConfigDocument, Issue } from './document.js';

const KEYS = ['bos_token_id', 'eos_token_id', 'pad_token_id'];

function idsInVocabulary(config: ConfigDocument): readonly Issue[] {
  const vocab = config.size('vocab_size');
  return KEYS.flatMap((key) => {
    const value = config.value(key);
    const paths = Array.isArray(value) ? value.map((_, index) => [key, index] as const) : [[key] as const];
    return paths.flatMap((path) => {
      const id = config.number(...path);
      if (id === null) return [];
      if (id < 0 || !Number.isInteger(id))
        return config.issue(
          path,
          'warning',
          'token-id-invalid',
          `${key} ${id} is no token; leave the key out when there is none.`,
        );
      if (!vocab || id < vocab.value) return [];
      const message = `${key} ${id} is not in the vocabulary: vocab_size is ${vocab.value}, so the last id is ${vocab.value - 1}.`;
      return config.issue(path, 'error', 'token-id-out-of-range', message);
    });
  });
}

function tokenizerFits(config: ConfigDocument, tokenizer: number | null): readonly Issue[] {
  const vocab = config.size('vocab_size');
  if (!vocab || tokenizer === null || tokenizer === vocab.value) return [];
  const difference = Math.abs(tokenizer - vocab.value);
  return tokenizer > vocab.value
    ? config.issue(
        ['vocab_size'],
        'error',
        'vocab-smaller-than-tokenizer',
        `vocab_size ${vocab.value} is smaller than the tokenizer’s ${tokenizer} tokens: ${difference} of them have no embedding.`,
      )
    : config.issue(
        ['vocab_size'],
        'hint',
        'vocab-larger-than-tokenizer',
        `vocab_size ${vocab.value} is ${difference} more than the tokenizer’s ${tokenizer} tokens; those rows are padding.`,
      );
}

/** @param tokenizer tokens in tokenizer.json beside the config, null when there is none */
export const checkVocabulary = (config: ConfigDocument, tokenizer: number | null): readonly Issue[] => [
  ...idsInVocabulary(config),
  ...tokenizerFits(config, tokenizer),
];
