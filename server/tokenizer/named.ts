import { OnceByKey } from '../protocol/once.js';
import { tokenizerUnknown } from './errors.js';
import { HuggingFaceTokenizer } from './huggingFace.js';
import { llama3Vocabulary, sentencePieceVocabulary } from './llama.js';
import { readVocabulary } from './media.js';
import { type Encoding, OpenAiTokenizer } from './openAi.js';
import { rwkvWorld } from './rwkvWorld.js';
import type { Tokenizer } from './tokenizer.js';
import { parseTokenizerJson } from './tokenizerJson.js';

/** OpenAI's first vocabularies, with the special token that all of them have. */
async function early(vocabulary: Promise<{ readonly default: Encoding['ranks'] }>): Promise<Tokenizer> {
  const { R50K_TOKEN_SPLIT_REGEX: split } = await import('gpt-tokenizer/encodingParams/constants');
  return new OpenAiTokenizer({ ranks: (await vocabulary).default, split, special: { '<|endoftext|>': 50256 } });
}

async function cl100k(): Promise<Tokenizer> {
  const { CL100K_TOKEN_SPLIT_REGEX: split } = await import('gpt-tokenizer/encodingParams/constants');
  const { default: ranks } = await import('gpt-tokenizer/bpeRanks/cl100k_base');
  const [prefix, middle, suffix] = ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>'] as const;
  const special = { '<|endoftext|>': 100257, [prefix]: 100258, [middle]: 100259, [suffix]: 100260, '<|endofprompt|>': 100276 };
  return new OpenAiTokenizer({ ranks, split, special });
}

async function o200k(): Promise<Tokenizer> {
  const { O200K_TOKEN_SPLIT_REGEX: split } = await import('gpt-tokenizer/encodingParams/constants');
  const { default: ranks } = await import('gpt-tokenizer/bpeRanks/o200k_base');
  return new OpenAiTokenizer({ ranks, split, special: { '<|endoftext|>': 199999, '<|endofprompt|>': 200018 } });
}

/** Qwen 2.5 and 3 share these tokens. Those that control a chat are recognised in text, as in the model's own tokenizer. */
async function qwen3(): Promise<Tokenizer> {
  const json = parseTokenizerJson(await readVocabulary('qwen3_tokenizer.json.br'));
  return new HuggingFaceTokenizer(json, { eos_token: '<|im_end|>' }, null);
}

/** Vocabularies that come with the lab. Each lies in a file of its own, which is loaded when it is first asked for. */
const tokenizers: Readonly<Record<string, () => Promise<Tokenizer>>> = {
  gpt2: () => early(import('gpt-tokenizer/bpeRanks/r50k_base')),
  r50k_base: () => early(import('gpt-tokenizer/bpeRanks/r50k_base')),
  p50k_base: () => early(import('gpt-tokenizer/bpeRanks/p50k_base')),
  cl100k_base: cl100k,
  o200k_base: o200k,
  rwkv_world: rwkvWorld,
  llama2: async () => sentencePieceVocabulary((await import('llama-tokenizer-js')).default),
  llama3: async () => llama3Vocabulary((await import('llama3-tokenizer-js')).default),
  qwen3,
  mistral: async () => sentencePieceVocabulary((await import('mistral-tokenizer-js')).default),
};

/** Whose each is, for people who choose. */
export const tokenizerOwners: Readonly<Record<string, string>> = {
  gpt2: 'OpenAI, GPT-2',
  r50k_base: 'OpenAI, GPT-3',
  p50k_base: 'OpenAI, Codex',
  cl100k_base: 'OpenAI, GPT-3.5 and GPT-4',
  o200k_base: 'OpenAI, GPT-4o and later',
  rwkv_world: 'BlinkDL, RWKV World',
  llama2: 'Meta, Llama 1 and 2',
  llama3: 'Meta, Llama 3',
  qwen3: 'Alibaba, Qwen 2.5 and 3',
  mistral: 'Mistral AI, Mistral 7B',
};

export const tokenizerNames: readonly string[] = Object.keys(tokenizers);

const open = new OnceByKey<Tokenizer>();

/**
 * A tokenizer by its name alone, shared by all who ask for it.
 * @throws TOKENIZER_UNKNOWN
 */
export function namedTokenizer(name: string): Promise<Tokenizer> {
  const create = Object.hasOwn(tokenizers, name) ? tokenizers[name] : undefined;
  if (create === undefined) return Promise.reject(tokenizerUnknown(name, tokenizerNames));
  return open.get(name, create);
}
