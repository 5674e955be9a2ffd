import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import type { Integers, Runs } from '../formats/ggmlIntegers.js';
import { withFile } from '../formats/rangedFile.js';
import { TensorReader } from '../formats/read.js';
import { transposed } from '../tensor/svd.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Blocks } from './weightPlan.js';

/** Values taken apart at a time. */
const SLAB = 1 << 22;

/** Some rows of a matrix [N, K] as whole numbers. */
export interface RowRuns {
  /** The first of them. */
  readonly from: number;
  readonly runs: Runs;
}

const emptyRuns = (rows: number, K: number, run: number, floors: boolean): Runs => ({
  codes: new Uint8Array(rows * K),
  scales: new Float32Array((rows * K) / run),
  floors: new Float32Array(floors ? (rows * K) / run : 0),
});

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
    const runs = emptyRuns(rows, K, integers.run, integers.floors);
    integers.split(bytes, runs);
    yield { from, runs };
  }
}

/** Values rounded to 4 or 8 bits: the largest of a run, with its sign, is −8 or ±127 scales. */
export async function* roundedRuns(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  storage: Blocks,
  K: number,
): AsyncGenerator<RowRuns> {
  const { bits, run, turned } = storage;
  const N = sizeOf(entry.shape) / K;
  const reader = await TensorReader.open(checkpoint, entry);
  try {
    const whole = turned ? transposed(await reader.elements(0, N * K), K, N) : null;
    const step = Math.max(1, Math.floor(SLAB / K));
    for (let from = 0; from < N; from += step) {
      const to = Math.min(N, from + step);
      const values = whole ? whole.subarray(from * K, to * K) : await reader.elements(from * K, to * K);
      const runs = emptyRuns(to - from, K, run, false);
      for (let i = 0; i < runs.scales.length; i++) round(values, i * run, run, bits, runs, i);
      yield { from, runs };
    }
  } finally {
    await reader.close();
  }
}

function round(values: Float32Array, at: number, run: number, bits: 4 | 8, { codes, scales }: Runs, i: number): void {
  let largest = 0;
  for (let j = at; j < at + run; j++) if (Math.abs(values[j] as number) > Math.abs(largest)) largest = values[j] as number;
  const scale = bits === 4 ? largest / -8 : Math.abs(largest) / 127;
  const [zero, most] = bits === 4 ? [8, 15] : [128, 255];
  scales[i] = scale;
  for (let j = at; j < at + run; j++) {
    const code = scale === 0 ? 0 : Math.round((values[j] as number) / scale);
    codes[j] = Math.min(most, Math.max(0, zero + code));
  }
}

/** Whole rows [K] of blocks as −127…127 with a scale for each row. */
export function rowBytes(runs: Runs, { bits, run }: Pick<Blocks, 'bits' | 'run'>, K: number) {
  const rows = runs.codes.length / K;
  const [codes, scales] = [new Int8Array(runs.codes.length), new Float32Array(rows)];
  const zero = 2 ** (bits - 1);
  const values = new Float32Array(K);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let k = 0; k < K; k++) {
      const at = row * K + k;
      const r = Math.floor(at / run);
      const value = (runs.scales[r] as number) * ((runs.codes[at] as number) - zero) + (runs.floors[r] ?? 0);
      values[k] = value;
      largest = Math.max(largest, Math.abs(value));
    }
    const scale = largest / 127;
    scales[row] = scale;
    if (scale > 0) for (let k = 0; k < K; k++) codes[row * K + k] = Math.round((values[k] as number) / scale);
  }
  return { codes, scales };
}
