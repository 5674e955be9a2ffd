import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { emitOnnx } from '../graph/emit.js';
import { SegmentBuilder } from '../graph/segmentBuilder.js';
import { weightUses } from '../graph/uses.js';
import type { BlockProduct, ProductSpeed } from '../protocol/fit.js';
import type { RunDtype } from '../protocol/models.js';
import type { Device } from './device.js';
import { tensorTable } from './model.js';
import { readsInBytes } from './multipliesBytes.js';
import { dialectOf } from './providers.js';
import { temporaryFolder } from './temporaryFolder.js';
import { fastest, type MeasureOptions, ones, ROWS, SQUARE } from './timedProbe.js';
import { planWeights } from './weightPlan.js';
import { WeightStore } from './weights.js';

/** 5 MB in four bits: larger than the cache of one core, and rounded in a moment. */
const WIDE = 3072;

/** What each kind of product is asked for by. */
const KINDS: Readonly<Record<BlockProduct, { readonly dtype: RunDtype; readonly stored: string }>> = {
  int8: { dtype: 'int8', stored: 'BF16' },
  int4: { dtype: 'int4', stored: 'BF16' },
  own4: { dtype: 'own', stored: 'Q4_0' },
};

/** A value of BF16 has two bytes, 32 values of Q4_0 have 18: both are zero where nothing was written. */
const bytesOf = (stored: string, values: number): number => (stored === 'BF16' ? values * 2 : (values / 32) * 18);

/**
 * What this machine does with matrices of whole numbers, which the same kernels multiply as in a model: weights that are zero, in a temporary file
 * with nothing written to it. Errors: DISK_FULL, RUNTIME_FAILED, CANCELLED.
 */
export async function measureProducts(device: Device, options: MeasureOptions): Promise<Record<BlockProduct, ProductSpeed>> {
  const { path: folder, remove } = await temporaryFolder();
  try {
    const file = path.join(folder, 'zeros');
    await writeFile(file, '');
    await truncate(file, bytesOf('BF16', WIDE * WIDE));
    const speeds: [string, ProductSpeed][] = [];
    for (const [kind, how] of Object.entries(KINDS)) {
      const time = (rows: number, size: number) => productTime(device, { file, rows, size, ...how }, options);
      const [many, one] = [await time(ROWS, SQUARE), await time(1, WIDE)];
      speeds.push([kind, { flops: (2 * ROWS * SQUARE * SQUARE) / many, weights: (WIDE * WIDE) / one }]);
    }
    return Object.fromEntries(speeds) as Record<BlockProduct, ProductSpeed>;
  } finally {
    await remove();
  }
}

/** A checkpoint of one matrix. */
function square(file: string, dtype: string, size: number): Checkpoint {
  const bytes = bytesOf(dtype, size * size);
  const plain = { permuteRows: null, transpose: false, restore: null, unpack: null };
  const w: TensorEntry = { name: 'w', sourceName: 'w', dtype, shape: [size, size], file: 0, offset: 0, bytes, ...plain };
  const files = [{ path: file, bytes }];
  const nothing = { metadata: {}, config: null, generation: null, tokenizer: null };
  return { path: file, name: 'products', format: 'safetensors', files, tensors: new Map([['w', w]]), ...nothing };
}

interface Product {
  readonly file: string;
  readonly rows: number;
  readonly size: number;
  readonly dtype: RunDtype;
  readonly stored: string;
}

/** Seconds of x Wᵀ at best. */
async function productTime(
  device: Device,
  { file, rows, size, dtype, stored }: Product,
  options: MeasureOptions,
): Promise<number> {
  const checkpoint = square(file, stored, size);
  const g = new SegmentBuilder('product', tensorTable(checkpoint), { probes: new Set(), interventions: new Set() });
  g.output('y', g.matmul(g.input('x', 'f32', [rows, size]), g.weight('w', [size, size]), { transB: true }));
  const bytes = await readsInBytes(device, dtype, options.provider);
  const weights = await WeightStore.open(checkpoint, planWeights(checkpoint, weightUses(g.graph), dtype, bytes));
  try {
    const { folder, place } = weights;
    const model = emitOnnx(g.graph, { place, weights: 'prepack', many: rows > 1, dialect: dialectOf(options.provider ?? 'cpu') });
    return await fastest(device, { model, folder, outputs: ['y'], inputs: { x: ones(rows, size) } }, options);
  } finally {
    await weights.close();
  }
}
