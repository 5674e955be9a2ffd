import { ggufTokenizer } from './gguf.js';
import type { Tokenizer } from './tokenizer.js';

/** A vocabulary as llama-tokenizer-js and its relatives unpack it. */
export interface UnpackedVocabulary {
  readonly vocabById: readonly string[];
  /** `left right` → place among the merges. */
  readonly merges: ReadonlyMap<string, number>;
}

/** Values of `tokenizer.ggml.token_type`. */
const [NORMAL, CONTROL] = [1, 3];

/**
 * SentencePiece's BPE of Llama 1 and 2 and of Mistral. The packages keep no scores, but the order of the merges is theirs. Names of
 * special tokens are text, and BOS is left to who prompts a model.
 */
export async function sentencePieceVocabulary({ vocabById, merges }: UnpackedVocabulary): Promise<Tokenizer> {
  const places = new Map<string, number>();
  for (const [pair, place] of merges) {
    const made = pair.replace(' ', '');
    if (!places.has(made)) places.set(made, place);
  }
  return ggufTokenizer({
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': vocabById,
    'tokenizer.ggml.scores': vocabById.map((token) => -(places.get(token) ?? merges.size * 2)),
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.add_bos_token': false,
  });
}

const LLAMA3_TOKENS = 128_000;

/** Llama 3's byte-level BPE. Its special tokens are recognised in text, BOS is left to who prompts a model. */
export async function llama3Vocabulary({ vocabById, merges }: UnpackedVocabulary): Promise<Tokenizer> {
  return ggufTokenizer({
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'llama-bpe',
    'tokenizer.ggml.tokens': vocabById,
    'tokenizer.ggml.token_type': vocabById.map((_, id) => (id < LLAMA3_TOKENS ? NORMAL : CONTROL)),
    'tokenizer.ggml.merges': [...merges.keys()],
    'tokenizer.ggml.bos_token_id': vocabById.indexOf('<|begin_of_text|>'),
    'tokenizer.ggml.eos_token_id': vocabById.indexOf('<|end_of_text|>'),
    'tokenizer.ggml.eot_token_id': vocabById.indexOf('<|eot_id|>'),
    'tokenizer.ggml.add_bos_token': false,
  });
}
