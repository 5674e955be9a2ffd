import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import type { Integers, Runs } from '../formats/ggmlIntegers.js';
import { withFile } from '../formats/rangedFile.js';
import { TensorReader } from '../formats/read.js';
import { transposed } from '../tensor/svd.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Blocks } from './weightPlan.js';

/** Values taken apart at a time. */
const SLAB = 1 << 22;

/** Runs of whole rows: the codes of the last run of a row are filled up with its zero. */
export interface ZeroedRuns extends Runs {
  /** The code of a run that stands for 0; empty: half of the range for all. */
  readonly zeros: Uint8Array;
}

/** Some rows of a matrix [N, K] as whole numbers. */
export interface RowRuns {
  /** The first of them. */
  readonly from: number;
  readonly runs: ZeroedRuns;
}

function emptyRuns(rows: number, K: number, { run, floors, zeros }: Pick<Blocks, 'run' | 'floors' | 'zeros'>): ZeroedRuns {
  const runs = rows * Math.ceil(K / run);
  return {
    codes: new Uint8Array(runs * run),
    scales: new Float32Array(runs),
    floors: new Float32Array(floors ? runs : 0),
    zeros: new Uint8Array(zeros ? runs : 0),
  };
}

/** The file's own blocks, taken apart: row by row in canonical order. */
export async function* ownRuns(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  integers: Integers,
  K: number,
): AsyncGenerator<RowRuns> {
  const N = sizeOf(entry.shape) / K;
  const rowBytes = entry.bytes / N;
  const step = Math.max(1, Math.floor(SLAB / K));
  const { path } = checkpoint.files[entry.file] as CheckpointFile;
  for (let from = 0; from < N; from += step) {
    const rows = Math.min(step, N - from);
    const bytes = new Uint8Array(rows * rowBytes);
    await withFile(path, async (file) => {
      if (entry.permuteRows === null) return file.readInto(bytes, entry.offset + from * rowBytes);
      for (let i = 0; i < rows; i++) {
        const row = bytes.subarray(i * rowBytes, (i + 1) * rowBytes);
        await file.readInto(row, entry.offset + entry.permuteRows(from + i) * rowBytes);
      }
    });
    const runs = emptyRuns(rows, K, { ...integers, zeros: false });
    integers.split(bytes, runs);
    yield { from, runs };
  }
}

/** Values rounded to 4 or 8 bits: codes go from the least to the largest of a run, 0 among them, or over a part of that. */
export async function* roundedRuns(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  storage: Blocks,
  K: number,
): AsyncGenerator<RowRuns> {
  const { bits, run, turned } = storage;
  const n = Math.ceil(K / run);
  const N = sizeOf(entry.shape) / K;
  const reader = await TensorReader.open(checkpoint, entry);
  try {
    const whole = turned ? transposed(await reader.elements(0, N * K), K, N) : null;
    const step = Math.max(1, Math.floor(SLAB / K));
    for (let from = 0; from < N; from += step) {
      const to = Math.min(N, from + step);
      const values = whole ? whole.subarray(from * K, to * K) : await reader.elements(from * K, to * K);
      const runs = emptyRuns(to - from, K, storage);
      for (let i = 0; i < runs.scales.length; i++) {
        const at = (i % n) * run;
        const start = Math.floor(i / n) * K + at;
        round(values.subarray(start, start + Math.min(run, K - at)), bits, runs, i, run);
      }
      yield { from, runs };
    }
  } finally {
    await reader.close();
  }
}

function round(values: Float32Array, bits: 4 | 8, { codes, scales, zeros }: ZeroedRuns, i: number, run: number): void {
  let [low, high] = [0, 0];
  for (let j = 0; j < values.length; j++) {
    const value = values[j] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const most = 2 ** bits - 1;
  let grid = gridOf(low, high, most, 1);
  if (bits === 4 && grid.scale > 0) {
    let least = Number.POSITIVE_INFINITY;
    for (const part of PARTS) {
      const tried = gridOf(low, high, most, part);
      const error = errorOf(values, tried);
      if (error < least) [grid, least] = [tried, error];
    }
  }
  scales[i] = grid.scale;
  zeros[i] = grid.zero;
  codes.fill(grid.zero, i * run, (i + 1) * run);
  if (grid.scale > 0) for (let j = 0; j < values.length; j++) codes[i * run + j] = codeOf(values[j] as number, grid);
}

/** Parts of the range of a run that 4 bits are tried on: to cut off its ends may cost them less than the others gain. */
const PARTS = [1, 0.94, 0.88];

/** Codes 0…most stand for scale · (code − zero). */
interface Grid {
  readonly scale: number;
  readonly zero: number;
  readonly most: number;
}

function gridOf(low: number, high: number, most: number, part: number): Grid {
  const scale = Math.fround((part * (high - low)) / most);
  return { scale, zero: scale > 0 ? Math.round((-low * part) / scale) : 0, most };
}

function codeOf(value: number, { scale, zero, most }: Grid): number {
  const code = zero + Math.round(value / scale);
  return code < 0 ? 0 : code > most ? most : code;
}

/** Sum of squares. */
function errorOf(values: Float32Array, grid: Grid): number {
  let sum = 0;
  for (let j = 0; j < values.length; j++) {
    const value = values[j] as number;
    const error = value - grid.scale * (codeOf(value, grid) - grid.zero);
    sum += error * error;
  }
  return sum;
}

/** Whole rows [K] of blocks as −127…127 with a scale for each row. */
export function rowBytes(runs: ZeroedRuns, { bits, run }: Pick<Blocks, 'bits' | 'run'>, K: number) {
  const n = Math.ceil(K / run);
  const rows = runs.scales.length / n;
  const [codes, scales] = [new Int8Array(rows * K), new Float32Array(rows)];
  const half = 2 ** (bits - 1);
  const values = new Float32Array(K);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let k = 0; k < K; k++) {
      const r = row * n + Math.floor(k / run);
      const code = runs.codes[r * run + (k % run)] as number;
      const value = (runs.scales[r] as number) * (code - (runs.zeros[r] ?? half)) + (runs.floors[r] ?? 0);
      values[k] = value;
      largest = Math.max(largest, Math.abs(value));
    }
    const scale = largest / 127;
    scales[row] = scale;
    if (scale > 0) for (let k = 0; k < K; k++) codes[row * K + k] = Math.round((values[k] as number) / scale);
  }
  return { codes, scales };
}
