import type { Checkpoint } from './formats/checkpoint.js';
import { openCheckpoint } from './formats/registry.js';
import { LabError } from './protocol/errors.js';
import type { Sampling } from './protocol/models.js';
import type { Forward } from './runtime/forward.js';
import { forwardKind } from './runtime/forwards.js';
import { LanguageModel } from './runtime/languageModel.js';
import type { ModelOptions } from './runtime/model.js';
import { OnnxSequenceModel } from './runtime/onnx/sequenceModel.js';
import type { SequenceModel } from './runtime/sequence.js';
import { createTokenizer } from './tokenizer/registry.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

interface OpenCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer | null;
}

/** A sequence model ready to run, with what the engine itself does not need: its tokenizer and sampling defaults. */
export interface OpenModel extends OpenCheckpoint {
  readonly model: SequenceModel;
  /** Tokens that end a generation. */
  readonly stop: ReadonlySet<number>;
  readonly sampling: Sampling;
}

/** A model of one pass ready to run. */
export interface OpenForward extends OpenCheckpoint {
  readonly forward: Forward;
}

export const notSequence = ({ name }: Checkpoint) =>
  new LabError({
    code: 'MODEL_ONE_PASS',
    message: `${name} reads its whole input in one pass; it does not go on token by token.`,
    hint: 'Run it on its inputs instead.',
  });

/**
 * Opens a checkpoint as what it is: a model of one pass, or a sequence model. A graph that is a language model is taken for one of one pass
 * when `onePass` says so: with all its inputs given. Errors: those of either.
 */
export async function openAny(
  path: string,
  options: ModelOptions & { readonly onePass?: boolean },
): Promise<OpenModel | OpenForward> {
  const checkpoint = await openCheckpoint(path);
  const tokenizer = checkpoint.tokenizer ? await createTokenizer(checkpoint.tokenizer) : null;
  const graph = checkpoint.format === 'onnx' && !options.onePass ? await OnnxSequenceModel.open(checkpoint, options) : null;
  const kind = graph ? null : forwardKind(checkpoint);
  if (kind) return { checkpoint, tokenizer, forward: await kind.open(checkpoint, options) };
  const model = graph ?? (await LanguageModel.open(checkpoint, options));
  return {
    checkpoint,
    model,
    tokenizer,
    stop: stopTokens(checkpoint, tokenizer),
    sampling: samplingDefaults(checkpoint.generation),
  };
}

/** Opens a sequence model. Errors: those of openAny, MODEL_ONE_PASS. */
export async function openModel(path: string, options: ModelOptions): Promise<OpenModel> {
  const open = await openAny(path, options);
  if ('model' in open) return open;
  await open.forward.close();
  throw notSequence(open.checkpoint);
}

/** Errors: TOKENIZER_MISSING. */
export function requireTokenizer({ tokenizer, checkpoint }: OpenCheckpoint): Tokenizer {
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

/** generation_config.json; `do_sample: false` or nothing said is greedy. What cuts nothing off (`top_k: 0`) is none. */
function samplingDefaults(generation: Checkpoint['generation']): Sampling {
  const said = (key: string, makesSense: (value: number) => boolean) => numbers(generation?.[key]).find(makesSense) ?? null;
  const temperature = said('temperature', (value) => value >= 0 && value <= 100) ?? 1;
  return {
    temperature: generation?.do_sample === true ? temperature : 0,
    topK: said('top_k', (value) => Number.isInteger(value) && value > 0),
    topP: said('top_p', (value) => value > 0 && value <= 1),
    seed: null,
  };
}
