/**
 * `tokenizer.ggml.pre` → the pre-tokeniser of the models that llama.cpp files under that name, as their own tokenizer.json
 * spells it: regular expressions whose matches are split off one after the other.
 */
import { GPT2_SPLIT } from './preTokenizers.js';

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const WHITE_SPACE = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const PUNCTUATION = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';

const llama3 = (digits: string) => `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${PUNCTUATION}|${WHITE_SPACE}`;

const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
/** Words that change from upper to lower case once, as o200k_base and Tekken split them. */
const cased = (suffix: string, digits: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${WHITE_SPACE}`;

const DEEPSEEK3 = [
  '\\p{N}{1,3}',
  '[一-龥぀-ゟ゠-ヿ]+',
  `[!-/:-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${WHITE_SPACE}`,
];

export interface PreTokenizerOfGguf {
  readonly regexes: readonly string[];
  /** A pre-token that is in the vocabulary is one token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** Text is composed first (NFC). */
  readonly composes?: boolean;
  /** BOS is added when the file does not say. */
  readonly addsBos?: boolean;
}

const gpt2 = { regexes: [GPT2_SPLIT] };
const perDigit = { regexes: ['\\p{N}', GPT2_SPLIT] };
const llama3Like = { regexes: [llama3('\\p{N}{1,3}')] };
const qwen2Like = { regexes: [llama3('\\p{N}')] };
const bloom = { regexes: [' ?[^(\\s|.,!?…。，、।۔،)]+'] };

const table: Readonly<Record<string, PreTokenizerOfGguf>> = {
  default: { regexes: ['[\\p{P}$+<=>^~|]+', GPT2_SPLIT, '\\p{N}+', '[0-9][0-9][0-9]'] },
  'gpt-2': gpt2,
  phi: gpt2,
  mpt: gpt2,
  olmo: gpt2,
  jais: gpt2,
  trillion: gpt2,
  exaone4: gpt2,
  smollm: perDigit,
  starcoder: perDigit,
  refact: perDigit,
  'command-r': perDigit,
  codeshell: perDigit,
  exaone: perDigit,
  'minerva-7b': perDigit,
  'llama-bpe': { ...llama3Like, ignoreMerges: true, addsBos: true },
  llama3: { ...llama3Like, ignoreMerges: true, addsBos: true },
  'llama-v3': { ...llama3Like, ignoreMerges: true, addsBos: true },
  falcon3: { ...llama3Like, ignoreMerges: true, addsBos: true },
  dbrx: llama3Like,
  'smaug-bpe': llama3Like,
  glm4: llama3Like,
  'chatglm-bpe': llama3Like,
  qwen2: { ...qwen2Like, composes: true },
  'deepseek-r1-qwen': { ...qwen2Like, composes: true },
  stablelm2: qwen2Like,
  hunyuan: qwen2Like,
  'deepseek-v3': { regexes: DEEPSEEK3 },
  'hunyuan-dense': { regexes: DEEPSEEK3 },
  'deepseek-coder': { regexes: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-퟿]+', '\\p{N}'] },
  falcon: { regexes: ['[\\p{P}$+<=>^~|`]+', GPT2_SPLIT, '[0-9][0-9][0-9]'] },
  bloom,
  'poro-chat': bloom,
  'gpt3-finnish': bloom,
  viking: { regexes: [...bloom.regexes, '\\p{N}'] },
  tekken: { regexes: [cased('', '\\p{N}')], ignoreMerges: true, addsBos: true },
  'gpt-4o': { regexes: [cased(`${CONTRACTION}?`, '\\p{N}{1,3}')] },
  llama4: { regexes: [cased(`${CONTRACTION}?`, '\\p{N}{1,3}')] },
};

/** Undefined for a name this version does not know. */
export const preTokenizerOfGguf = (name: string): PreTokenizerOfGguf | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Every name that is known. */
export const ggufPreTokenizerNames: readonly string[] = Object.keys(table);
