import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { readInputs } from '../../server/readInputs.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { fitInputs, type InputSpec } from '../../server/runtime/forward.js';

const specs: readonly InputSpec[] = [
  { name: 'input_ids', dtype: 'int64', shape: ['texts', 'T'], optional: false },
  { name: 'attention_mask', dtype: 'int64', shape: ['texts', 'T'], optional: true },
  { name: 'pixel_values', dtype: 'float32', shape: ['images', 3, 2, 2], optional: false },
];

const ints = (dims: number[], ...values: number[]): HostTensor => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
});
const taken = (given: Record<string, HostTensor>) => fitInputs(specs, new Map(Object.entries(given)));

test('a leading batch axis may be left out', () => {
  assert.deepEqual(taken({ input_ids: ints([3], 1, 2, 3) }).get('input_ids')?.dims, [1, 3]);
  assert.deepEqual(taken({ input_ids: ints([1, 3], 1, 2, 3) }).get('input_ids')?.dims, [1, 3]);
});

test('whole numbers stand for floats and not the other way', () => {
  const pixels = taken({ pixel_values: ints([3, 2, 2], ...Array.from({ length: 12 }, (_, i) => i)) }).get('pixel_values');
  assert.deepEqual([...(pixels as HostTensor).data].slice(10), [10, 11]);
  const floats: HostTensor = { type: 'float32', dims: [2], data: Float32Array.of(1, 2) };
  assert.throws(() => taken({ input_ids: floats }), { code: 'INPUT_DTYPE' });
});

test('what does not fit is told', () => {
  assert.throws(() => taken({ pixels: ints([1], 1) }), { code: 'INPUT_UNKNOWN', message: /pixels/ });
  assert.throws(() => taken({ pixel_values: ints([3, 2, 1], 1, 2, 3, 4, 5, 6) }), {
    code: 'INPUT_SHAPE',
    message: /\[3, 2, 1\]/,
  });
  const unequal = { input_ids: ints([3], 1, 2, 3), attention_mask: ints([2], 1, 1) };
  assert.throws(() => taken(unequal), { code: 'INPUT_SHAPE', message: /attention_mask/ });
});

test('whole numbers of a file stay exact', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'model-lab-')), 'inputs.safetensors');
  const large = 2n ** 53n + 1n;
  await writeSafetensors(
    file,
    new Map<string, { shape: number[]; data: BigInt64Array | Int32Array | Float32Array }>([
      ['long', { shape: [2], data: BigInt64Array.of(large, -1n) }],
      ['ids', { shape: [1, 2], data: Int32Array.of(7, -8) }],
      ['x', { shape: [1], data: Float32Array.of(0.5) }],
    ]),
  );
  const inputs = await readInputs(file);
  assert.deepEqual(inputs.get('long'), { type: 'int64', dims: [2], data: BigInt64Array.of(large, -1n) });
  assert.deepEqual(inputs.get('ids'), { type: 'int32', dims: [1, 2], data: Int32Array.of(7, -8) });
  assert.deepEqual(inputs.get('x'), { type: 'float32', dims: [1], data: Float32Array.of(0.5) });
});
