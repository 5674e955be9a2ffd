import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { findCheckpoints } from '../../server/formats/find.js';
import { readRaw, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { code } from '../code.js';

/** Arrays that NumPy wrote (test/fixtures/formats/arrays/make.py). */
const folder = 'test/fixtures/formats/arrays';

test('arrays of a .npz are those that safetensors holds of the same, bit by bit', async () => {
  const [npz, reference] = [await openCheckpoint(`${folder}/all.npz`), await openCheckpoint(`${folder}/all.safetensors`)];
  assert.deepEqual([...npz.tensors.keys()].sort(), [...reference.tensors.keys()].sort());
  for (const entry of reference.tensors.values()) {
    const own = npz.tensors.get(entry.name);
    assert.deepEqual([own?.dtype, own?.shape], [entry.dtype, entry.shape], entry.name);
    assert.deepEqual(own && (await readRaw(npz, own)), await readRaw(reference, entry), entry.name);
  }
});

test('a .npy is one array under the name of its file', async () => {
  const array = await openCheckpoint(`${folder}/given.npy`);
  const [entry] = array.tensors.values();
  assert.deepEqual([entry?.name, entry?.dtype, entry?.shape], ['given', 'F32', [4, 3]]);
  const reference = await openCheckpoint('test/fixtures/onnx/external.safetensors');
  const x = reference.tensors.get('x');
  assert.ok(entry && x);
  assert.deepEqual(await readTensor(array, entry), await readTensor(reference, x));
});

test('arrays are no models of a folder', async () => {
  const own = await mkdtemp(path.join(tmpdir(), 'model-lab-arrays-'));
  await copyFile(`${folder}/given.npy`, path.join(own, 'given.npy'));
  assert.deepEqual(await findCheckpoints(own, 10), []);
  await rm(own, { recursive: true });
});

test('what is not read says where and why', async () => {
  await assert.rejects(openCheckpoint(`${folder}/turned.npy`), code('ORDER_UNSUPPORTED'));
  await assert.rejects(openCheckpoint(`${folder}/compressed.npz`), code('ZIP_COMPRESSED'));
  const own = await mkdtemp(path.join(tmpdir(), 'model-lab-arrays-'));
  const header = (dict: string, data = 0) => {
    const text = Buffer.from(dict);
    return Buffer.concat([
      Buffer.from('934e554d50590100', 'hex'),
      Buffer.of(text.length & 255, text.length >> 8),
      text,
      Buffer.alloc(data),
    ]);
  };
  const expected: Readonly<Record<string, readonly [Buffer, string, number]>> = {
    'big.npy': [header("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8), 'DTYPE_UNKNOWN', 10],
    'records.npy': [header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), 'HEADER_INVALID', 10],
    'short.npy': [header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8), 'SIZE_MISMATCH', 67],
    'huge.npy': [header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999,), }"), 'SHAPE_INVALID', 10],
    'version.npy': [Buffer.from('934e554d505909000000', 'hex'), 'HEADER_INVALID', 0],
    'cut.npy': [Buffer.from('934e554d5059', 'hex'), 'HEADER_INVALID', 0],
  };
  for (const [name, [content, wanted, offset]] of Object.entries(expected)) {
    await writeFile(path.join(own, name), content);
    await assert.rejects(openCheckpoint(path.join(own, name)), { code: wanted, offset }, name);
  }
  await rm(own, { recursive: true });
});
