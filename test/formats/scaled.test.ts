import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readRaw, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { type Saved, writeSafetensors } from '../../server/formats/writeSafetensors.js';
import type { LabError } from '../../server/protocol/errors.js';
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

test('codes whose scales are of another form, or that have zero points, are listed and not read as numbers', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-scaled-'));
  try {
    const file = path.join(folder, 'model.safetensors');
    const codes = { shape: [4, 6], data: new Int8Array(24) };
    await writeSafetensors(
      file,
      new Map<string, Saved>([
        ['a.weight', codes],
        ['a.weight_scale', { shape: [4, 1], data: new Float32Array(4) }],
        ['a.weight_zero_point', { shape: [4, 1], data: new Int8Array(4) }],
        ['b.weight', codes],
        ['b.weight_scale', { shape: [5], data: new Float32Array(5) }],
      ]),
    );
    const checkpoint = await openCheckpoint(file);
    assert.equal(checkpoint.tensors.size, 5);
    for (const [name, by] of [
      ['a.weight', 'a.weight_zero_point'],
      ['b.weight', 'b.weight_scale'],
    ] as const)
      await assert.rejects(readTensor(checkpoint, checkpoint.tensors.get(name) as TensorEntry), (error: LabError) => {
        assert.equal(error.code, 'DTYPE_UNDECODABLE');
        assert.equal(error.file, file);
        assert.match(error.message, new RegExp(`"${name}".*"${by}"`));
        return true;
      });
  } finally {
    await rm(folder, { recursive: true });
  }
});
