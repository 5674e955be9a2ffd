import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { formatError } from '../formats/errors.js';
import { TensorReader } from '../formats/read.js';
import { LabError } from '../protocol/errors.js';
import type { Provenance } from '../protocol/inspect.js';
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';
import { breathe } from './breathe.js';

/** Values read whole: 1 GB in fp32. */
const LARGEST = 1 << 28;
/** Values decoded at a time. */
const SLAB = 1 << 20;
/** Milliseconds of work between two breaths. */
const SLICE = 25;

const tooLarge = (name: string, values: number) =>
  new LabError({
    code: 'TENSOR_TOO_BIG',
    message: `${name} would take ${gigabytes(values * 4)} in fp32.`,
    hint: 'Its picture and statistics are read by parts; this needs all of it at once.',
  });

export interface Matrix {
  readonly entry: TensorEntry;
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols]. */
  readonly values: Float32Array;
}

/** Errors: TENSOR_UNKNOWN. */
export function entryOf(checkpoint: Checkpoint, name: string): TensorEntry {
  const entry = checkpoint.tensors.get(name);
  if (entry) return entry;
  throw formatError('TENSOR_UNKNOWN', checkpoint.path, null, `The model has no tensor ${JSON.stringify(name)}.`);
}

export const sizesOf = ({ shape }: TensorEntry) => ({ rows: sizeOf(shape.slice(0, -1)), cols: shape.at(-1) ?? 1 });

/** A tensor as the matrix of its last axis by all others. Errors: TENSOR_UNKNOWN, TENSOR_TOO_BIG, DTYPE_UNDECODABLE, CANCELLED. */
export async function readMatrix(checkpoint: Checkpoint, name: string, signal: AbortSignal): Promise<Matrix> {
  const entry = entryOf(checkpoint, name);
  const size = sizeOf(entry.shape);
  if (size > LARGEST) throw tooLarge(name, size);
  const values = new Float32Array(size);
  await eachSlab(checkpoint, entry, signal, (slab, at) => values.set(slab, at));
  return { entry, ...sizesOf(entry), values };
}

/** All values of a tensor in order, a slab at a time. Errors: DTYPE_UNDECODABLE, CANCELLED. */
export async function eachSlab(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  signal: AbortSignal,
  visit: (values: Float32Array, at: number) => void,
): Promise<void> {
  const reader = await TensorReader.open(checkpoint, entry);
  try {
    const size = sizeOf(entry.shape);
    for (let from = 0; from < size; from += SLAB) {
      visit(await reader.elements(from, Math.min(size, from + SLAB)), from);
      await breathe(signal);
    }
  } finally {
    await reader.close();
  }
}

/** Runs small steps to their end, lets others in now and then, and reports the share that is done. Errors: CANCELLED. */
export async function atEase<R>(
  steps: Generator<number, R>,
  signal: AbortSignal,
  report: (share: number) => void = () => undefined,
): Promise<R> {
  let since = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - since < SLICE) continue;
    report(value);
    await breathe(signal);
    since = performance.now();
  }
}

export const fromFile = (checkpoint: Checkpoint, entry: TensorEntry, started: number): Provenance => ({
  model: checkpoint.name,
  dtype: entry.dtype,
  probe: entry.name,
  provider: 'file',
  ms: performance.now() - started,
});
