import { crossesCut, separatesLines } from './cuts.js';
import type { Library } from './library.js';
import { type AddedTokenJson, flatten, type Step, type TokenizerJson } from './tokenizerJson.js';

/** Normalisers that change a text place by place, or at its start only, where `encode` knows whether it is one. */
const LOCAL = new Set(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'BertNormalizer', 'Nmt', 'Prepend', 'Replace']);

/**
 * Whether a text may be cut at line breaks (`Tokenizer.cutsAtLines`): no added token, normaliser or word of this tokenizer reaches over them.
 * @param normalise what it does to any place of a text, without what it does at the ends
 */
export function cutsAtLines(
  json: TokenizerJson,
  { pre_tokenizer, model }: Library,
  normalise: (text: string) => string,
): boolean {
  const reaches = ({ content, lstrip }: AddedTokenJson) => lstrip === true || crossesCut(content);
  const isLocal = ({ type, pattern }: Step) =>
    LOCAL.has(type) && (type !== 'Replace' || typeof (pattern as { String?: unknown } | undefined)?.String === 'string');
  if (json.added_tokens.some(reaches) || !flatten(json.normalizer).every(isLocal)) return false;
  // Without words of their own, tokens go as far as the vocabulary lets them.
  if (json.pre_tokenizer === null || pre_tokenizer === null) {
    const known = json.model.byte_fallback === true || model.tokens_to_ids.has('\n');
    return known && !model.vocab.some((token) => crossesCut(token ?? ''));
  }
  return separatesLines((text, continues) => pre_tokenizer.pre_tokenize(normalise(text), { section_index: continues ? 1 : 0 }));
}
