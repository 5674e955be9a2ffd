import assert from 'node:assert/strict';
import { test } from 'node:test';
import { f32 } from '../../server/runtime/device.js';
import { zeros } from '../../server/runtime/slab.js';
import { createCell } from '../../server/runtime/stateStore.js';

test('small arrays of zeros share a buffer, large ones have their own, and none touches another', () => {
  const [a, b, large] = [zeros(1000), zeros(17), zeros(3 << 20)];
  assert.equal(a.buffer, b.buffer);
  assert.notEqual(a.buffer, large.buffer);
  assert.deepEqual([a.length, b.length, large.length], [1000, 17, 3 << 20]);
  assert.ok(b.byteOffset >= a.byteOffset + a.byteLength);
  a.fill(1);
  b.fill(2);
  assert.ok(a.every((x) => x === 1) && b.every((x) => x === 2) && zeros(1000).every((x) => x === 0));
});

test('rows of many layers, written in turns, stay what they were while their arrays grow', async () => {
  const spec = { name: 'k', kind: 'kv', shape: [2, 'S', 4], keeps: null } as const;
  const cells = Array.from({ length: 5 }, () => createCell(spec));
  const row = (cell: number, t: number) => Float32Array.from({ length: 8 }, (_, i) => cell * 10_000 + t * 10 + i);
  for (let t = 0; t < 300; t++) for (const [c, cell] of cells.entries()) cell.write(f32([1, 2, 1, 4], row(c, t)));
  for (const [c, cell] of cells.entries()) {
    const { dims, data } = await cell.read();
    assert.deepEqual(dims, [2, 300, 4]);
    for (const t of [0, 127, 128, 255, 256, 299])
      for (const h of [0, 1])
        assert.deepEqual(data.slice((h * 300 + t) * 4, (h * 300 + t + 1) * 4), row(c, t).subarray(4 * h, 4 * h + 4));
    cell.free();
  }
});
