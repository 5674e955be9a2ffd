import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRaw, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';

const file = 'test/fixtures/formats/scaled.safetensors';

/** Made by makeScaled.py: fp8 by blocks, rows and whole, int8 by rows, MXFP4. */
test('codes and their scales are the numbers that both mean', async () => {
  const expected = await readOracle('test/fixtures/formats/scaled_expected.safetensors');
  const checkpoint = await openCheckpoint(file);
  assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...expected.keys(), 'plain.weight'].sort());
  for (const [name, want] of expected) {
    const entry = checkpoint.tensors.get(name);
    assert.ok(entry);
    const actual = { shape: entry.shape, data: await readTensor(checkpoint, entry) };
    assertClose(name, actual, want, 1e-6);
    const raw = await readRaw(checkpoint, entry);
    assert.deepEqual(new Float32Array(raw.buffer), actual.data);
    const rows = await readTensor(checkpoint, entry, { from: 1, to: 2 });
    assert.deepEqual(rows, actual.data.slice(rows.length, 2 * rows.length), `${name}: its second row`);
  }
});
