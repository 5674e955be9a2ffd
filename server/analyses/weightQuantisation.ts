import type { Checkpoint } from '../formats/checkpoint.js';
import { dtypes } from '../formats/dtypes.js';
import type { Quantisation, RoundTrip } from '../protocol/weights.js';
import { type BlockFormat, blockFormats } from './blockFormats.js';
import { eachSlab, entryOf, fromFile, sizesOf } from './weightMatrix.js';

const BINS = 64;
/** For types that hold one value at a time. */
const USUAL = 32;

/** What the blocks of a tensor span, and what it would lose in block formats. Rows are cut into blocks; the last of a row may be short. Errors: TENSOR_UNKNOWN, DTYPE_UNDECODABLE, CANCELLED. */
export async function quantisation(checkpoint: Checkpoint, tensor: string, signal: AbortSignal): Promise<Quantisation> {
  const started = performance.now();
  const entry = entryOf(checkpoint, tensor);
  const { cols } = sizesOf(entry);
  const stored = dtypes.get(entry.dtype)?.elements ?? 1;
  const blockSize = stored > 1 ? stored : USUAL;
  const ranges: number[] = [];
  const losses = stored > 1 ? [] : blockFormats.map((format) => new Loss(format));
  // rows are gathered, since a slab may end inside one
  const row = new Float32Array(cols);
  await eachSlab(checkpoint, entry, signal, (values, at) => {
    for (let i = 0; i < values.length; ) {
      const col = (at + i) % cols;
      const run = Math.min(cols - col, values.length - i);
      row.set(values.subarray(i, i + run), col);
      i += run;
      if (col + run < cols) continue;
      for (let from = 0; from < cols; from += blockSize) ranges.push(span(row.subarray(from, from + blockSize)));
      for (const loss of losses) loss.add(row);
    }
  });
  return {
    blockSize,
    stored: stored > 1,
    ranges: histogram(ranges.filter(Number.isFinite)),
    roundTrips: losses.map((loss) => loss.result()),
    provenance: fromFile(checkpoint, entry, started),
  };
}

const span = (block: Float32Array): number => block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

class Loss {
  readonly #out: Float32Array;
  #error = 0;
  #energy = 0;
  #max = 0;
  #count = 0;

  constructor(private readonly format: BlockFormat) {
    this.#out = new Float32Array(format.size);
  }

  /** A block with a value that is not finite has no scale and is left out. */
  add(row: Float32Array): void {
    const { size } = this.format;
    for (let from = 0; from < row.length; from += size) {
      const block = row.subarray(from, from + size);
      if (!block.every(Number.isFinite)) continue;
      this.format.roundTrip(block, this.#out);
      for (const [i, x] of block.entries()) {
        const error = (this.#out[i] as number) - x;
        this.#error += error * error;
        this.#energy += x * x;
        this.#max = Math.max(this.#max, Math.abs(error));
      }
      this.#count += block.length;
    }
  }

  result(): RoundTrip {
    const ratio = this.#energy / this.#error;
    return {
      format: this.format.name,
      bits: this.format.bits,
      max: this.#max,
      rms: Math.sqrt(this.#error / Math.max(1, this.#count)),
      relative: this.#error === 0 ? 0 : Math.sqrt(1 / ratio),
      sqnr: this.#error === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(ratio),
    };
  }
}

function histogram(values: readonly number[]): Quantisation['ranges'] {
  const high = values.reduce((most, x) => Math.max(most, x), 0) || 1;
  const counts = new Float32Array(BINS);
  for (const x of values) {
    const bin = Math.min(BINS - 1, Math.floor((x / high) * BINS));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return {
    edges: { shape: [BINS + 1], data: Float32Array.from({ length: BINS + 1 }, (_, i) => (i * high) / BINS) },
    counts: { shape: [BINS], data: counts },
  };
}
