import { tokenizerInvalid } from './errors.js';

/** One node of tokenizer.json: a normaliser, pre-tokeniser, post-processor or decoder. */
export interface Step {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
  readonly special?: boolean;
}

/** What Hugging Face's tokenizers library writes, every part present. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: Step | null;
  readonly pre_tokenizer: Step | null;
  readonly post_processor: Step | null;
  readonly decoder: Step | null;
  readonly model: Step;
  /** The merges are not the file's: they follow from the scores of its tokens. */
  readonly impliedMerges?: true;
}

export type TokenizerConfig = Readonly<Record<string, unknown>>;

/** No vocabulary is this big; a larger id is damage, and would make arrays of that length. */
const MAX_ID = 1 << 24;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_ID;

/** @throws TOKENIZER_INVALID */
export function parseObject(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw tokenizerInvalid(`${file} is not JSON (${(cause as Error).message})`, cause);
  }
  if (!isRecord(value)) throw tokenizerInvalid(`${file} is not an object`);
  return value;
}

function step(json: Record<string, unknown>, key: string): Step | null {
  const value = json[key] ?? null;
  if (value === null) return null;
  if (!isRecord(value) || typeof value.type !== 'string') throw tokenizerInvalid(`"${key}" has no type`);
  return value as Step;
}

function model(json: Record<string, unknown>): Step {
  const value = json.model;
  if (!isRecord(value)) throw tokenizerInvalid('there is no "model"');
  const { vocab } = value;
  if (Array.isArray(vocab)) {
    if (!vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number'))
      throw tokenizerInvalid('"model.vocab" is not a list of [token, score]');
  } else if (isRecord(vocab)) {
    for (const token in vocab)
      if (!isId(vocab[token])) throw tokenizerInvalid(`the id of ${JSON.stringify(token)} is ${vocab[token]}`);
  } else throw tokenizerInvalid('there is no "model.vocab"');
  const type = value.type ?? modelType(value);
  if (type === 'BPE') checkMerges(value.merges);
  return { ...value, type } as Step;
}

/** Old files leave the type of the model out. */
function modelType(value: Record<string, unknown>): string {
  if (Array.isArray(value.vocab)) return 'Unigram';
  return 'merges' in value ? 'BPE' : 'WordPiece';
}

function checkMerges(merges: unknown): void {
  const isPair = (merge: unknown) =>
    typeof merge === 'string'
      ? merge.includes(' ')
      : Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string');
  if (!Array.isArray(merges)) throw tokenizerInvalid('there is no "model.merges"');
  const bad = merges.findIndex((merge) => !isPair(merge));
  if (bad >= 0) throw tokenizerInvalid(`merge ${bad} is not a pair`);
}

function addedTokens(value: unknown): readonly AddedTokenJson[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw tokenizerInvalid('"added_tokens" is not a list');
  const bad = value.findIndex(
    (token) => !isRecord(token) || !isId(token.id) || typeof token.content !== 'string' || token.content === '',
  );
  if (bad >= 0) throw tokenizerInvalid(`added token ${bad} has no id or no content`);
  return value;
}

/** Checks what the library would trip over. @throws TOKENIZER_INVALID */
export function parseTokenizerJson(text: string): TokenizerJson {
  const json = parseObject(text, 'tokenizer.json');
  return {
    added_tokens: addedTokens(json.added_tokens),
    normalizer: step(json, 'normalizer'),
    pre_tokenizer: step(json, 'pre_tokenizer'),
    post_processor: step(json, 'post_processor'),
    decoder: step(json, 'decoder'),
    model: model(json),
  };
}

/** The step itself and, for a sequence, the steps in it. */
export function flatten(step: Step | null): readonly Step[] {
  if (step === null) return [];
  const inner = step.normalizers ?? step.pretokenizers ?? step.processors ?? step.decoders;
  return step.type === 'Sequence' && Array.isArray(inner) ? inner.flatMap((each: Step) => flatten(each)) : [step];
}
