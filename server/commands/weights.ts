import { tensorPicture } from '../analyses/tensorPicture.js';
import { tensorChannels } from '../analyses/weightChannels.js';
import { quantisation } from '../analyses/weightQuantisation.js';
import { tensorSpectrum } from '../analyses/weightSpectrum.js';
import { openCheckpoint } from '../formats/registry.js';
import { alone } from '../runtime/view.js';
import type { Arguments } from './usage.js';

const BINS = 80;

/** One stored tensor as JSON: statistics, histogram, singular values, outlier channels, what block formats would lose. */
export async function weights(args: Arguments): Promise<void> {
  const checkpoint = await openCheckpoint(args.path);
  const tensor = args.second;
  const { stats, histogram, rows, cols } = await tensorPicture(checkpoint, tensor, 1, 1, BINS);
  const { rows: byRow, cols: byCol } = await tensorChannels(checkpoint, tensor, alone.signal);
  const { roundTrips, blockSize } = await quantisation(checkpoint, tensor, alone.signal);
  const finite = stats.nan + stats.inf === 0 && stats.count > 0;
  const spectrum = finite ? await tensorSpectrum(checkpoint, tensor, alone) : null;
  const { shape, dtype } = checkpoint.tensors.get(tensor) ?? { shape: [], dtype: '' };
  const outliers = { rows: byRow.outliers, cols: byCol.outliers };
  const told = { tensor, dtype, shape, rows, cols, stats, histogram, spectrum, outliers, blockSize, roundTrips };
  process.stdout.write(`${JSON.stringify(told, plain, 2)}\n`);
}

/** Typed arrays as arrays; numbers JSON has no spelling for as words. */
const plain = (_: string, value: unknown): unknown => {
  if (ArrayBuffer.isView(value)) return [...(value as Float32Array)];
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
};
