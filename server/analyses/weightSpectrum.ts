import type { Checkpoint } from '../formats/checkpoint.js';
import type { TensorSpectrum } from '../protocol/weights.js';
import type { Watched } from '../runtime/view.js';
import { rankOf } from '../tensor/spectrum.js';
import { type Svd, svd } from '../tensor/svd.js';
import { atEase, fromFile, readMatrix } from './weightMatrix.js';

/** Shorter side up to which every singular value is computed (seconds), and how many of the largest beyond. */
const LIMIT = 2048;
const TOP = 128;

/** Singular values of a stored matrix. Errors: those of readMatrix. */
export async function tensorSpectrum(
  checkpoint: Checkpoint,
  tensor: string,
  { signal, progress }: Watched,
): Promise<TensorSpectrum> {
  const started = performance.now();
  const { entry, rows, cols, values } = await readMatrix(checkpoint, tensor, signal);
  const report = (share: number) => progress(Math.round(100 * share), 100, 'Decomposing the matrix');
  const found = await atEase(svd(values, rows, cols, { directions: false, limit: LIMIT, top: TOP }), signal, report);
  return { rows, cols, ...describe(found), provenance: fromFile(checkpoint, entry, started) };
}

/** What singular values say together. */
export function describe({ sigma, energy, complete }: Svd): Omit<TensorSpectrum, 'rows' | 'cols' | 'provenance'> {
  const largest = sigma[0] ?? 0;
  return {
    sigma: { shape: [sigma.length], data: Float32Array.from(sigma) },
    complete,
    energy,
    effectiveRank: complete ? rankOf(sigma.map((s) => s * s)) : null,
    stableRank: largest === 0 ? 0 : energy / largest ** 2,
    condition: complete ? conditionOf(largest, sigma.at(-1) ?? 0) : null,
    rank99: rankAt(sigma, energy, 0.99),
  };
}

/** Below this share of the largest a singular value is rounding: fp32 weights cannot tell it from 0. */
const ROUNDING = 1e-7;

const conditionOf = (largest: number, least: number): number =>
  least > ROUNDING * largest ? largest / least : Number.POSITIVE_INFINITY;

/** The fewest directions that hold this share of the energy. */
function rankAt(sigma: Float64Array, energy: number, share: number): number | null {
  let sum = 0;
  for (const [i, s] of sigma.entries()) {
    sum += s * s;
    if (sum >= share * energy) return i + 1;
  }
  return null;
}
