import assert from 'node:assert/strict';
import path from 'node:path';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { Tensor } from '../../server/tensor/tensor.js';

export const fixtures = path.resolve(import.meta.dirname, '../fixtures/oracles');

/** Reference outputs that this project did not compute. */
export const readOracle = (name: string): Promise<Map<string, Tensor>> =>
  readTensors(path.resolve(fixtures, name, 'oracle.safetensors'));

/** Every tensor of a file. */
export async function readTensors(file: string): Promise<Map<string, Tensor>> {
  const checkpoint = await openCheckpoint(file);
  const entries = [...checkpoint.tensors.values()];
  return new Map(
    await Promise.all(entries.map(async (e) => [e.name, { shape: e.shape, data: await readTensor(checkpoint, e) }] as const)),
  );
}

/** |a − b| ≤ tolerance · (1 + |b|) everywhere, same shape. */
export function assertClose(what: string, actual: Tensor, expected: Tensor, tolerance = 1e-4): void {
  assert.deepEqual([...actual.shape], [...expected.shape], `${what}: shape`);
  let [worst, at] = [0, -1];
  for (const [i, b] of expected.data.entries()) {
    const a = actual.data[i] as number;
    const error = a === b ? 0 : Math.abs(a - b) / (1 + Math.abs(b)); // −∞ − −∞ is no number
    if (error > worst || Number.isNaN(error)) [worst, at] = [error, i];
    if (Number.isNaN(error)) break;
  }
  assert.ok(worst <= tolerance, `${what}: off by ${worst} at ${at}: ${actual.data[at]} instead of ${expected.data[at]}`);
}
