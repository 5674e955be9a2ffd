import type { Checkpoint } from '../formats/checkpoint.js';
import { formatError } from '../formats/errors.js';
import { TensorReader } from '../formats/read.js';
import { cancelled } from '../protocol/errors.js';
import type { TensorPicture, TensorStats } from '../protocol/inspect.js';
import { sizeOf } from '../tensor/tensor.js';

/** Values decoded at a time, and the most that are read of one tensor. */
const slab = 1 << 20;
const maxElements = 64 << 20;
/** Runs of rows in a sample; enough that every row of a heatmap gets some. */
const maxRuns = 4096;

type Visit = (values: Float32Array, at: number) => void;

/**
 * Picture of a stored tensor, seen as a matrix of its last axis by all the others: a heatmap of at most `rows` × `cols` cells with the
 * signed value of largest magnitude in each (NaN where there is one), a histogram of the finite values in `bins`, and statistics.
 * Reads by ranges, twice, because the histogram needs the range first; of more than 64 M values it reads rows in evenly spaced runs.
 * Throws TENSOR_UNKNOWN, DTYPE_UNDECODABLE, CANCELLED.
 */
export async function tensorPicture(
  checkpoint: Checkpoint,
  tensorName: string,
  rows: number,
  cols: number,
  bins: number,
  signal?: AbortSignal,
): Promise<TensorPicture> {
  const started = performance.now();
  const entry = checkpoint.tensors.get(tensorName);
  if (entry === undefined)
    throw formatError('TENSOR_UNKNOWN', checkpoint.path, null, `The model has no tensor ${JSON.stringify(tensorName)}.`);
  const width = entry.shape.at(-1) ?? 1;
  const height = sizeOf(entry.shape.slice(0, -1));
  const kept = Math.min(height, Math.max(1, Math.floor(maxElements / Math.max(1, width))));
  const reader = await TensorReader.open(checkpoint, entry);
  try {
    const pass = (visit: Visit) =>
      visitRows(reader, { width, height, kept }, (values, at) => {
        if (signal?.aborted) throw cancelled();
        visit(values, at);
      });
    const heat = new Heat(Math.min(rows, height), Math.min(cols, width), height, width);
    const tally = new Tally();
    await pass((values, at) => {
      heat.add(values, at);
      tally.add(values);
    });
    const histogram = new Histogram(tally.min, tally.max, bins);
    await pass((values) => histogram.add(values));
    return {
      rows: height,
      cols: width,
      ...picture(heat, histogram),
      stats: tally.stats(),
      sampled: kept < height,
      bytesRead: reader.bytesRead,
      provenance: {
        model: checkpoint.name,
        dtype: entry.dtype,
        probe: tensorName,
        provider: 'file',
        ms: performance.now() - started,
      },
    };
  } finally {
    await reader.close();
  }
}

/** The same heat map and histogram of a matrix in memory. */
export function pictureOf(
  values: Float32Array,
  height: number,
  width: number,
  { rows, cols, bins }: { readonly rows: number; readonly cols: number; readonly bins: number },
): Pick<TensorPicture, 'heatmap' | 'histogram'> {
  const heat = new Heat(Math.min(rows, height), Math.min(cols, width), height, width);
  const tally = new Tally();
  heat.add(values, 0);
  tally.add(values);
  const histogram = new Histogram(tally.min, tally.max, bins);
  histogram.add(values);
  return picture(heat, histogram);
}

const picture = (heat: Heat, histogram: Histogram): Pick<TensorPicture, 'heatmap' | 'histogram'> => ({
  heatmap: { shape: [heat.rows, heat.cols], data: heat.cells },
  histogram: {
    edges: { shape: [histogram.edges.length], data: histogram.edges },
    counts: { shape: [histogram.edges.length - 1], data: histogram.counts },
  },
});

interface Extent {
  readonly width: number;
  readonly height: number;
  /** Rows to read. */
  readonly kept: number;
}

/** All rows, or `kept` of them in evenly spaced runs: a read for each row would cost more than the rows. */
async function visitRows(reader: TensorReader, { width, height, kept }: Extent, visit: Visit): Promise<void> {
  const runs = kept === height ? 1 : Math.min(kept, maxRuns);
  const rows = Math.floor(kept / runs);
  for (let i = 0; i < runs; i++) {
    const first = Math.floor((i * height) / runs) * width;
    const end = first + rows * width;
    for (let from = first; from < end; from += slab) visit(await reader.elements(from, Math.min(end, from + slab)), from);
  }
}

/** The signed value of largest magnitude in each cell of a grid over the matrix. */
class Heat {
  readonly cells: Float32Array;
  private readonly cellOfCol: Uint32Array;

  constructor(
    readonly rows: number,
    readonly cols: number,
    private readonly height: number,
    private readonly width: number,
  ) {
    this.cells = new Float32Array(rows * cols);
    this.cellOfCol = Uint32Array.from({ length: Math.min(width, slab) }, (_, c) => Math.floor((c * cols) / width));
  }

  /** `values` are consecutive elements from `at` on. */
  add(values: Float32Array, at: number): void {
    const { cells, cols, width, cellOfCol } = this;
    for (let i = 0; i < values.length; ) {
      const row = Math.floor((at + i) / width);
      const col = (at + i) % width;
      const run = Math.min(width - col, values.length - i);
      const base = Math.floor((row * this.rows) / this.height) * cols;
      for (let c = 0; c < run; c++, i++) {
        const cell = base + (cellOfCol[col + c] ?? Math.floor(((col + c) * cols) / width));
        const value = values[i] as number;
        // Written so that a NaN wins and stays.
        if (!(Math.abs(value) <= Math.abs(cells[cell] as number)) && !Number.isNaN(cells[cell])) cells[cell] = value;
      }
    }
  }
}

/** Range and moments of the finite values; non-finite ones are counted. */
class Tally {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  private count = 0;
  private nan = 0;
  private inf = 0;
  private zeros = 0;
  private mean = 0;
  private squares = 0;

  /** Chan, Golub & LeVeque 1979: moments of parts combine without the cancellation of Σx² − (Σx)²/n. */
  add(values: Float32Array): void {
    let [count, sum] = [0, 0];
    for (const value of values) {
      if (!Number.isFinite(value)) {
        if (Number.isNaN(value)) this.nan++;
        else this.inf++;
        continue;
      }
      if (value === 0) this.zeros++;
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
      count++;
      sum += value;
    }
    if (count === 0) return;
    const mean = sum / count;
    let squares = 0;
    for (const value of values) if (Number.isFinite(value)) squares += (value - mean) ** 2;
    const total = this.count + count;
    const shift = mean - this.mean;
    this.squares += squares + (shift * shift * this.count * count) / total;
    this.mean += (shift * count) / total;
    this.count = total;
  }

  /** Of a tensor without a finite value, min, max, mean and std are NaN. */
  stats(): TensorStats {
    const { count, nan, inf, zeros } = this;
    const none = count === 0;
    return {
      min: none ? Number.NaN : this.min,
      max: none ? Number.NaN : this.max,
      mean: none ? Number.NaN : this.mean,
      std: none ? Number.NaN : Math.sqrt(this.squares / count),
      nan,
      inf,
      zeros,
      count: count + nan + inf,
    };
  }
}

/** Counts of finite values in equal bins from min to max; the last bin includes its upper edge. */
class Histogram {
  readonly edges: Float32Array;
  private readonly low: number;
  private readonly step: number;
  /** Not fp32, which stops counting at 2^24. */
  private readonly totals: Float64Array;

  constructor(min: number, max: number, bins: number) {
    // A constant tensor gets a unit range around its value; one without finite values an empty histogram of 0…1.
    const [low, high] = !(min <= max) ? [0, 1] : min === max ? [min - 0.5, max + 0.5] : [min, max];
    this.low = low;
    this.step = (high - low) / bins;
    this.edges = Float32Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + i * this.step));
    this.totals = new Float64Array(bins);
  }

  add(values: Float32Array): void {
    const { totals, low, step } = this;
    const last = totals.length - 1;
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      const bin = Math.min(last, Math.floor((value - low) / step));
      totals[bin] = (totals[bin] as number) + 1;
    }
  }

  get counts(): Float32Array {
    return Float32Array.from(this.totals);
  }
}
