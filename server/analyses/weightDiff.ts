import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { TensorReader } from '../formats/read.js';
import { LabError } from '../protocol/errors.js';
import type { CheckpointDiff, TensorDiff, TensorDiffPicture } from '../protocol/weights.js';
import type { Watched } from '../runtime/view.js';
import { svd } from '../tensor/svd.js';
import { sizeOf } from '../tensor/tensor.js';
import { breathe } from './breathe.js';
import { pictureOf } from './tensorPicture.js';
import { atEase, entryOf, fromFile, readMatrix } from './weightMatrix.js';
import { describe } from './weightSpectrum.js';

const SLAB = 1 << 19;
/** Shorter side up to which the difference is decomposed whole, and how many directions beyond. */
const LIMIT = 1024;
const TOP = 64;

const reshapedTensor = (name: string) =>
  new LabError({
    code: 'TENSOR_SHAPE',
    message: `${name} has another shape in the other checkpoint.`,
    hint: 'Only tensors of one shape can be subtracted.',
  });

const same = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();

/**
 * Two checkpoints by tensor, matched by their canonical names, whatever the formats are: read once by ranges, in the order of A's file.
 * Errors: DTYPE_UNDECODABLE, CANCELLED.
 */
export async function diff(a: Checkpoint, b: Checkpoint, { signal, progress }: Watched): Promise<CheckpointDiff> {
  const started = performance.now();
  const shared = [...a.tensors.values()].filter(({ name }) => b.tensors.has(name));
  const other = (entry: TensorEntry) => b.tensors.get(entry.name) as TensorEntry;
  const comparable = shared.filter((entry) => same(entry.shape, other(entry).shape));
  const total = comparable.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const tensors: TensorDiff[] = [];
  let done = 0;
  for (const entry of comparable) {
    const tally = new Tally();
    await pairs(a, entry, b, other(entry), signal, (x, y) => {
      tally.add(x, y);
      done += x.length;
      progress(done, total, 'Comparing tensors');
    });
    tensors.push({ name: entry.name, shape: entry.shape, dtypes: [entry.dtype, other(entry).dtype], ...tally.result() });
  }
  return {
    a: a.name,
    b: b.name,
    tensors,
    onlyA: [...a.tensors.keys()].filter((name) => !b.tensors.has(name)),
    onlyB: [...b.tensors.keys()].filter((name) => !a.tensors.has(name)),
    reshaped: shared
      .filter((entry) => !same(entry.shape, other(entry).shape))
      .map((entry) => ({ name: entry.name, a: entry.shape, b: other(entry).shape })),
    ms: performance.now() - started,
  };
}

/** Where and how one tensor differs, and the rank of the difference. Errors: TENSOR_UNKNOWN, TENSOR_SHAPE, TENSOR_TOO_BIG, CANCELLED. */
export async function diffTensor(
  a: Checkpoint,
  b: Checkpoint,
  name: string,
  grid: { readonly rows: number; readonly cols: number; readonly bins: number },
  { signal, progress }: Watched,
): Promise<TensorDiffPicture> {
  const started = performance.now();
  const entry = entryOf(a, name);
  if (!same(entry.shape, entryOf(b, name).shape)) throw reshapedTensor(name);
  const { rows, cols, values } = await readMatrix(a, name, signal);
  const { values: others } = await readMatrix(b, name, signal);
  for (let i = 0; i < values.length; i++) values[i] = (others[i] as number) - (values[i] as number);
  const report = (share: number) => progress(Math.round(100 * share), 100, 'Decomposing the difference');
  const finite = values.every(Number.isFinite) && values.length > 0;
  const provenance = { ...fromFile(a, entry, started), model: `${b.name} − ${a.name}` };
  const found = finite
    ? await atEase(svd(values, rows, cols, { directions: false, limit: LIMIT, top: TOP }), signal, report)
    : null;
  return {
    rows,
    cols,
    ...pictureOf(values, rows, cols, grid),
    spectrum: found && { rows, cols, ...describe(found), provenance },
    provenance: { ...provenance, ms: performance.now() - started },
  };
}

async function pairs(
  a: Checkpoint,
  left: TensorEntry,
  b: Checkpoint,
  right: TensorEntry,
  signal: AbortSignal,
  visit: (x: Float32Array, y: Float32Array) => void,
): Promise<void> {
  const x = await TensorReader.open(a, left);
  try {
    const y = await TensorReader.open(b, right);
    try {
      const size = sizeOf(left.shape);
      for (let from = 0; from < size; from += SLAB) {
        const to = Math.min(size, from + SLAB);
        visit(await x.elements(from, to), await y.elements(from, to));
        await breathe(signal);
      }
    } finally {
      await y.close();
    }
  } finally {
    await x.close();
  }
}

class Tally {
  #xx = 0;
  #yy = 0;
  #xy = 0;
  #dd = 0;
  #max = 0;
  #changed = 0;
  #count = 0;

  add(x: Float32Array, y: Float32Array): void {
    for (let i = 0; i < x.length; i++) {
      const [u, v] = [x[i] as number, y[i] as number];
      const d = v - u;
      this.#xx += u * u;
      this.#yy += v * v;
      this.#xy += u * v;
      this.#dd += d * d;
      // a NaN stays
      if (!(Math.abs(d) <= this.#max)) this.#max = Math.abs(d);
      if (!Object.is(u, v) && u !== v) this.#changed++;
    }
    this.#count += x.length;
  }

  result(): Pick<TensorDiff, 'norm' | 'relative' | 'max' | 'cosine' | 'changed' | 'count'> {
    const size = Math.sqrt(this.#xx);
    const norm = Math.sqrt(this.#dd);
    return {
      norm,
      relative: norm === 0 ? 0 : norm / size,
      max: this.#max,
      cosine: this.#xx === 0 && this.#yy === 0 ? 1 : this.#xy / Math.sqrt(this.#xx * this.#yy),
      changed: this.#changed,
      count: this.#count,
    };
  }
}
