import assert from 'node:assert/strict';
import { copyFile, cp, mkdir, mkdtemp, open, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { findCheckpoints } from '../../server/formats/find.js';
import { bindable, readRaw, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readOracle } from '../fixtures/readOracle.js';
import { onnxFile, onnxTensor, proto } from './craft.js';

const fixtures = 'test/fixtures/onnx';
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-lab-onnx-'));
});
after(() => rm(folder, { recursive: true }));

test('every type, as bytes and one by one, in the graph, in branches, constants and sparse tensors', async () => {
  const expected = await readOracle(`${fixtures}/types.safetensors`);
  const checkpoint = await openCheckpoint(`${fixtures}/types.onnx`);
  assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...expected.keys(), 'texts'].sort());
  for (const [name, { shape, data }] of expected) {
    const entry = checkpoint.tensors.get(name) as TensorEntry;
    assert.deepEqual([...entry.shape], [...shape], name);
    assert.deepEqual(await readTensor(checkpoint, entry), data, name);
    if (shape.length < 2 || data.length === 0) continue;
    const rows = await readTensor(checkpoint, entry, { from: 1, to: shape[0] as number });
    assert.deepEqual(rows, data.subarray(shape[1]), `${name} from its second row on`);
  }
  await assert.rejects(readTensor(checkpoint, checkpoint.tensors.get('texts') as TensorEntry), { code: 'DTYPE_UNDECODABLE' });
  const longs = checkpoint.tensors.get('typed.INT64') as TensorEntry;
  assert.deepEqual(
    await readRaw(checkpoint, longs),
    await readRaw(checkpoint, checkpoint.tensors.get('raw.INT64') as TensorEntry),
  );
  assert.ok(!bindable(longs));
  assert.deepEqual(checkpoint.metadata, {
    ir_version: 11,
    producer: 'model-lab-fixtures',
    producer_version: '1',
    model_version: 7,
    license: 'MIT',
    opsets: { 'ai.onnx': 24, 'com.example': 3 },
  });
});

test('weights beside the model: their file, their place, tied ones too', async () => {
  const expected = await readOracle(`${fixtures}/external.safetensors`);
  for (const path of [`${fixtures}/external/model.onnx`, `${fixtures}/external`]) {
    const checkpoint = await openCheckpoint(path);
    assert.equal(checkpoint.files.length, 3);
    for (const [name, entry] of checkpoint.tensors)
      assert.deepEqual(await readTensor(checkpoint, entry), expected.get(name)?.data, name);
    const [first, tied] = ['first', 'tied'].map((name) => checkpoint.tensors.get(name));
    assert.deepEqual([first?.file, first?.offset], [tied?.file, tied?.offset]);
  }
});

test('in the Hugging Face cache, links lead to where the model lies', async () => {
  const blobs = join(folder, 'blobs');
  const snapshot = join(folder, 'snapshots/abc/onnx');
  await mkdir(join(snapshot, 'more'), { recursive: true });
  await mkdir(blobs);
  for (const name of ['model.onnx', 'weights.bin', 'more/weights.bin']) {
    const blob = join(blobs, name.replace('/', '-'));
    await copyFile(`${fixtures}/external/${name}`, blob);
    await symlink(blob, join(snapshot, name));
  }
  const checkpoint = await openCheckpoint(join(snapshot, 'model.onnx'));
  const { data } = (await readOracle(`${fixtures}/external.safetensors`)).get('first') as { data: Float32Array };
  assert.deepEqual(await readTensor(checkpoint, checkpoint.tensors.get('first') as TensorEntry), data);
  // … and nowhere else.
  const elsewhere = join(folder, 'elsewhere.bin');
  await rename(join(blobs, 'weights.bin'), elsewhere);
  await rm(join(snapshot, 'weights.bin'));
  await symlink(elsewhere, join(snapshot, 'weights.bin'));
  await assert.rejects(openCheckpoint(join(snapshot, 'model.onnx')), { code: 'EXTERNAL_INVALID' });
});

test('a model of 40 GB opens by its header', async () => {
  const path = join(folder, 'huge.onnx');
  const side = 50_000;
  const tensors = [0, 1, 2, 3].map((i) =>
    onnxTensor({
      name: `w${i}`,
      dims: [side, side],
      external: { location: 'huge.bin', offset: String(i * side * side * 4), length: String(side * side * 4) },
    }),
  );
  await writeFile(path, onnxFile({ initializers: tensors }));
  await writeFile(join(folder, 'huge.bin'), '');
  await truncate(join(folder, 'huge.bin'), 4 * side * side * 4);
  const memory = process.memoryUsage().rss;
  const started = process.cpuUsage();
  const checkpoint = await openCheckpoint(path);
  const { user, system } = process.cpuUsage(started);
  assert.ok(user + system < 1e6 && process.memoryUsage().rss - memory < 50 << 20);
  assert.equal(checkpoint.tensors.get('w3')?.offset, 30_000_000_000);
  const row = await readTensor(checkpoint, checkpoint.tensors.get('w3') as TensorEntry, { from: 49_999, to: 50_000 });
  assert.equal(row.length, side);
});

test('weights inside the file are stepped over, not read', async () => {
  const path = join(folder, 'inside.onnx');
  const bytes = 1_900_000_000;
  // ModelProto { ir_version, graph { initializer { dims, data_type, name, raw_data } } } around a hole in a sparse file.
  const head = Buffer.concat([
    proto.int(1, bytes / 4),
    proto.int(2, 1),
    proto.text(8, 'w'),
    proto.tag(9, 2),
    proto.varint(bytes),
  ]);
  const tensor = Buffer.concat([proto.tag(5, 2), proto.varint(head.length + bytes), head]);
  const start = Buffer.concat([proto.int(1, 8), proto.tag(7, 2), proto.varint(tensor.length + bytes), tensor]);
  const file = await open(path, 'w');
  await file.write(start);
  await file.truncate(start.length + bytes);
  await file.close();
  const memory = process.memoryUsage().rss;
  const checkpoint = await openCheckpoint(path);
  assert.ok(process.memoryUsage().rss - memory < 20 << 20);
  assert.deepEqual([checkpoint.tensors.get('w')?.offset, checkpoint.tensors.get('w')?.bytes], [start.length, bytes]);
});

test('config and tokenizer of the folder above; all graphs of a folder are found, a folder of one opens', async () => {
  const model = join(folder, 'model');
  await cp(`${fixtures}/external`, join(model, 'onnx'), { recursive: true });
  await copyFile(`${fixtures}/types.onnx`, join(model, 'onnx/model_q4.onnx'));
  await writeFile(join(model, 'config.json'), '{"model_type": "mlp"}');
  const checkpoint = await openCheckpoint(join(model, 'onnx/model.onnx'));
  assert.equal(checkpoint.config?.model_type, 'mlp');
  const found = await findCheckpoints(model, 10);
  assert.deepEqual(
    found.map(({ name, format }) => [name, format]),
    [
      ['model.onnx', 'onnx'],
      ['model_q4.onnx', 'onnx'],
    ],
  );
  const whole = await openCheckpoint(model);
  assert.equal(whole.path, join(model, 'onnx/model.onnx'));
  assert.ok((await readFile(join(model, 'onnx/weights.bin'))).length > 0);
});
