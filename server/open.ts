import type { Checkpoint } from './formats/checkpoint.js';
import { openCheckpoint } from './formats/registry.js';
import { LabError } from './protocol/errors.js';
import type { Sampling } from './protocol/models.js';
import { Model, type ModelOptions } from './runtime/model.js';
import { createTokenizer } from './tokenizer/registry.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

/** A checkpoint ready to run, with what the engine itself does not need: its tokenizer and sampling defaults. */
export interface OpenModel {
  readonly checkpoint: Checkpoint;
  readonly model: Model;
  readonly tokenizer: Tokenizer | null;
  /** Tokens that end a generation. */
  readonly stop: ReadonlySet<number>;
  readonly sampling: Sampling;
}

export async function openModel(path: string, options: ModelOptions): Promise<OpenModel> {
  const checkpoint = await openCheckpoint(path);
  const tokenizer = checkpoint.tokenizer ? await createTokenizer(checkpoint.tokenizer) : null;
  const model = await Model.open(checkpoint, options);
  return {
    checkpoint,
    model,
    tokenizer,
    stop: stopTokens(checkpoint, tokenizer),
    sampling: samplingDefaults(checkpoint.generation),
  };
}

/** Errors: TOKENIZER_MISSING. */
export function requireTokenizer({ tokenizer, checkpoint }: Pick<OpenModel, 'tokenizer' | 'checkpoint'>): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new LabError({
    code: 'TOKENIZER_MISSING',
    message: `${checkpoint.name} has no tokenizer.`,
    hint: 'Put tokenizer.json beside the weights, or give token ids instead of text.',
  });
}

const numbers = (value: unknown): number[] => [value].flat().filter((v): v is number => typeof v === 'number');

/** From generation_config.json, else the tokenizer's. A bare checkpoint without either generates as many tokens as asked. */
function stopTokens(checkpoint: Checkpoint, tokenizer: Tokenizer | null): ReadonlySet<number> {
  const configured = numbers(checkpoint.generation?.eos_token_id);
  return new Set(configured.length > 0 ? configured : (tokenizer?.eos ?? []));
}

/** generation_config.json; `do_sample: false` or nothing said is greedy. */
function samplingDefaults(generation: Checkpoint['generation']): Sampling {
  const number = (key: string) => numbers(generation?.[key])[0] ?? null;
  const samples = generation?.do_sample === true;
  return { temperature: samples ? (number('temperature') ?? 1) : 0, topK: number('top_k'), topP: number('top_p'), seed: null };
}
