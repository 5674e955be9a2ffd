import type { Checkpoint } from '../formats/checkpoint.js';
import type { Channels, OutlierChannel, TensorChannels } from '../protocol/weights.js';
import { eachSlab, entryOf, fromFile, sizesOf } from './weightMatrix.js';

/** Beyond this many robust standard deviations a channel is an outlier. */
const FAR = 6;
const SHOWN = 64;
/** The median absolute deviation of a normal distribution is its standard deviation divided by this. */
const NORMAL = 1.4826;

/** Norms and largest magnitudes of rows and columns, and which stand out. Reads by parts. Errors: TENSOR_UNKNOWN, DTYPE_UNDECODABLE, CANCELLED. */
export async function tensorChannels(checkpoint: Checkpoint, tensor: string, signal: AbortSignal): Promise<TensorChannels> {
  const started = performance.now();
  const entry = entryOf(checkpoint, tensor);
  const { rows, cols } = sizesOf(entry);
  const [byRow, byCol] = [new Tally(rows), new Tally(cols)];
  await eachSlab(checkpoint, entry, signal, (values, at) => {
    for (const [i, value] of values.entries()) {
      byRow.add(Math.floor((at + i) / cols), value);
      byCol.add((at + i) % cols, value);
    }
  });
  return { rows: byRow.channels(), cols: byCol.channels(), provenance: fromFile(checkpoint, entry, started) };
}

class Tally {
  readonly #squares: Float64Array;
  readonly #largest: Float32Array;

  constructor(size: number) {
    this.#squares = new Float64Array(size);
    this.#largest = new Float32Array(size);
  }

  add(channel: number, value: number): void {
    this.#squares[channel] = (this.#squares[channel] as number) + value * value;
    if (!(Math.abs(value) <= (this.#largest[channel] as number))) this.#largest[channel] = Math.abs(value);
  }

  channels(): Channels {
    const norms = this.#squares.map(Math.sqrt);
    const finite = norms.filter(Number.isFinite);
    const middle = median(finite);
    const spread = NORMAL * median(finite.map((n) => Math.abs(n - middle)));
    const z = (norm: number) => (norm === middle ? 0 : (norm - middle) / spread);
    const far: OutlierChannel[] = [...norms]
      .map((norm, index) => ({ index, norm, largest: this.#largest[index] as number, z: z(norm) }))
      .filter((channel) => !(Math.abs(channel.z) <= FAR))
      .sort((a, b) => rank(b.z) - rank(a.z));
    return {
      norms: { shape: [norms.length], data: Float32Array.from(norms) },
      largest: { shape: [norms.length], data: this.#largest },
      median: middle,
      outliers: far.slice(0, SHOWN),
      outlierCount: far.length,
    };
  }
}

/** NaN stands out most. */
const rank = (z: number): number => (Number.isNaN(z) ? Number.POSITIVE_INFINITY : Math.abs(z));

function median(values: Float64Array): number {
  const sorted = values.toSorted();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
}
