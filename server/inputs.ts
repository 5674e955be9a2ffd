import { type Checkpoint, modelType } from './formats/checkpoint.js';
import { readImage } from './image/image.js';
import { type Prepared, prepare } from './image/preprocess.js';
import { type OpenForward, requireTokenizer } from './open.js';
import { LabError } from './protocol/errors.js';
import { readInputs } from './readInputs.js';
import type { HostTensor } from './runtime/elements.js';
import type { Forward, InputSpec, Tensors } from './runtime/forward.js';
import { sizeOf } from './tensor/tensor.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const notTaken = (what: string, { inputs }: Forward) =>
  new LabError({
    code: 'INPUT_UNKNOWN',
    message: `This model takes no ${what}.`,
    hint: `Its inputs are ${inputs.map(({ name }) => name).join(', ')}.`,
  });

const noneNamed = (file: string, { inputs }: Forward) =>
  new LabError({
    code: 'INPUT_MISSING',
    message: `${file} holds none of the inputs of this model.`,
    hint: `Its inputs are ${inputs.map(({ name }) => name).join(', ')}.`,
  });

const unequal = (file: string, shape: readonly number[], first: readonly number[]) =>
  new LabError({
    code: 'INPUT_SHAPE',
    message: `${file} is prepared as [${shape.join(', ')}], the first image as [${first.join(', ')}].`,
    hint: 'Images of one pass must have one size: give them one by one.',
  });

const tooLong = (tokens: number, most: number) =>
  new LabError({
    code: 'CONTEXT_FULL',
    message: `The text has ${tokens} tokens, the model reads ${most}.`,
    hint: 'Shorten the text.',
  });

const inputOf = (forward: Forward, name: string): InputSpec | null => forward.inputs.find((spec) => spec.name === name) ?? null;

/** What a file holds of the model's inputs; it may hold more: outputs of a reference, inputs of another model. One tensor alone is the one input. Errors: those of the format, INPUT_*. */
export async function namedInputs({ forward }: OpenForward, file: string): Promise<Tensors> {
  const held = await readInputs(file);
  const named = [...held].filter(([name]) => inputOf(forward, name) !== null);
  if (named.length > 0) return new Map(named);
  // an array alone has the name of its file
  const [[, only] = [], ...others] = held;
  const required = forward.inputs.filter(({ optional }) => !optional);
  if (!only || others.length > 0 || required.length !== 1) throw noneNamed(file, forward);
  return new Map([[(required[0] as InputSpec).name, only]]);
}

/** Images as the model wants them: [N,3,H,W]. Errors: INPUT_UNKNOWN, INPUT_SHAPE, IMAGE_*, PREPROCESSOR_*, FILE_*. */
export async function imageInput({ checkpoint, forward }: OpenForward, files: readonly string[]) {
  if (!inputOf(forward, 'pixel_values')) throw notTaken('image', forward);
  const images: Prepared[] = [];
  for (const file of files) {
    const image = prepare(await readImage(file), checkpoint.preprocessor ?? null, modelType(checkpoint));
    const first = images[0] ?? image;
    if (first.shape.join() !== image.shape.join()) throw unequal(file, image.shape, first.shape);
    images.push(image);
  }
  const shape = (images[0] as Prepared).shape;
  const data = new Float32Array(images.length * sizeOf(shape));
  for (const [i, { pixels }] of images.entries()) data.set(pixels, i * pixels.length);
  const pixels: HostTensor = { type: 'float32', dims: [images.length, ...shape], data };
  return { images, pixels };
}

/**
 * Token ids of texts [N,T], filled up with the padding token to the longest (and marked in `attention_mask`), or to the length the model was trained on
 * (and not marked). Errors: INPUT_UNKNOWN, TOKENIZER_MISSING, CONTEXT_FULL.
 */
export function textInputs(open: OpenForward, texts: readonly string[]): Tensors {
  const spec = inputOf(open.forward, 'input_ids');
  if (!spec) throw notTaken('text', open.forward);
  const tokenizer = requireTokenizer(open);
  return idInputs(
    open,
    texts.map((text) => tokenizer.encode(text).map(({ id }) => id)),
  );
}

/** The same of ids. Errors: INPUT_UNKNOWN, CONTEXT_FULL. */
export function idInputs({ forward, checkpoint, tokenizer }: OpenForward, rows: readonly (readonly number[])[]): Tensors {
  const spec = inputOf(forward, 'input_ids');
  if (!spec) throw notTaken('text', forward);
  const longest = Math.max(...rows.map((row) => row.length));
  const length = spec.padTo ?? longest;
  if (longest > length) throw tooLong(longest, length);
  const pad = paddingId(checkpoint, tokenizer);
  const table = (value: (row: readonly number[], t: number) => number): HostTensor => ({
    type: 'int64',
    dims: [rows.length, length],
    data: BigInt64Array.from(rows.flatMap((row) => Array.from({ length }, (_, t) => BigInt(value(row, t))))),
  });
  const inputs = new Map([['input_ids', table((row, t) => row[t] ?? pad)]]);
  if (inputOf(forward, 'attention_mask') && !spec.padTo)
    inputs.set(
      'attention_mask',
      table((row, t) => (t < row.length ? 1 : 0)),
    );
  if (inputOf(forward, 'token_type_ids'))
    inputs.set(
      'token_type_ids',
      table(() => 0),
    );
  return inputs;
}

/** The padding token of tokenizer_config.json, else the config's, else 0. */
function paddingId({ config, tokenizer: source }: Checkpoint, tokenizer: Tokenizer | null): number {
  const said = source?.kind === 'hf' && source.configJson ? (JSON.parse(source.configJson) as { pad_token?: unknown }) : {};
  const token = typeof said.pad_token === 'object' ? (said.pad_token as { content?: unknown } | null)?.content : said.pad_token;
  const pieces = typeof token === 'string' && tokenizer ? tokenizer.encode(token, { special: false }) : [];
  if (pieces.length === 1) return (pieces[0] as { id: number }).id;
  const text = config?.text_config as { pad_token_id?: unknown } | undefined;
  return [text?.pad_token_id, config?.pad_token_id].find((id): id is number => typeof id === 'number') ?? 0;
}
