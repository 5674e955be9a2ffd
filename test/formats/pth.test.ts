import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'node:test';
import { findCheckpoints } from '../../server/formats/find.js';
import { bindable, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readOracle } from '../fixtures/readOracle.js';
import { pickledDict, pickledTensor, zipFile } from './craft.js';

const path = 'test/fixtures/oracles/rwkv_pth_v7/model.pth';

test('an RWKV-7 .pth has the names and shapes of Hugging Face’s checkpoints', async () => {
  const [checkpoint, reference] = await Promise.all([openCheckpoint(path), openCheckpoint('test/fixtures/oracles/rwkv7')]);
  assert.equal(checkpoint.format, 'pth');
  const unused = /^model\.layers\.0\.attn\.v_lora/;
  const names = [...checkpoint.tensors.keys()].filter((name) => !unused.test(name));
  assert.deepEqual(names.sort(), [...reference.tensors.keys()].sort());
  for (const [name, { shape }] of reference.tensors) assert.equal(checkpoint.tensors.get(name)?.shape.length, shape.length, name);
});

test('sizes come from the tensors', async () => {
  const { config } = await openCheckpoint(path);
  assert.deepEqual(
    { ...config },
    {
      model_type: 'rwkv7',
      architectures: ['RWKV7ForCausalLM'],
      hidden_size: 32,
      vocab_size: 96,
      num_hidden_layers: 2,
      num_heads: 2,
      num_attention_heads: 2,
      head_dim: 16,
      intermediate_size: 64,
      decay_low_rank_dim: 8,
      a_low_rank_dim: 8,
      gate_low_rank_dim: 16,
      v_low_rank_dim: 8,
      norm_eps: 1e-5,
      _group_norm_eps: 64e-5,
      norm_bias: true,
      tie_word_embeddings: false,
    },
  );
});

test('low-rank factors are turned round, everything else can be bound in place', async () => {
  const checkpoint = await openCheckpoint(path);
  const file = await readFile(path);
  for (const [name, entry] of checkpoint.tensors) {
    const stored = new Float32Array(
      file.buffer.slice(file.byteOffset + entry.offset, file.byteOffset + entry.offset + entry.bytes),
    );
    const factor = /lora\.[02]\.weight$/.test(name);
    assert.equal(bindable(entry), !factor, name);
    const [rows, cols] = entry.shape as [number, number];
    const expected = factor ? stored.map((_, i) => stored[(i % cols) * rows + Math.floor(i / cols)] as number) : stored;
    assert.deepEqual(await readTensor(checkpoint, entry), expected, name);
  }
});

for (const protocol of [2, 4]) {
  test(`state dict of a module, pickle protocol ${protocol}: parameters, tied, transposed and half-precision tensors, metadata dropped`, async () => {
    const checkpoint = await openCheckpoint(`test/fixtures/formats/state_dict_p${protocol}.pth`);
    const values: Record<string, number[]> = {};
    for (const [name, entry] of checkpoint.tensors) values[name] = [...(await readTensor(checkpoint, entry))];
    assert.deepEqual(values, {
      w: [0, 1, 2, 3, 4, 5],
      tied: [0, 1, 2, 3, 4, 5],
      turned: [0, 3, 1, 4, 2, 5],
      row: [3, 4, 5],
      half: [1.5, -2],
      bfloat: [1.5, -2],
    });
    assert.deepEqual(checkpoint.tensors.get('turned')?.shape, [3, 2]);
    assert.equal(checkpoint.config, null);
  });
}

test('archives with 64-bit sizes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-pth-'));
  const members = [
    { name: 'm/data.pkl', data: pickledDict(['a', pickledTensor()]) },
    { name: 'm/data/0', data: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
  ];
  await writeFile(join(folder, 'big.pth'), zipFile(members, { big: true }));
  const checkpoint = await openCheckpoint(join(folder, 'big.pth'));
  assert.deepEqual([...(await readTensor(checkpoint, checkpoint.tensors.get('a') as never))], [1, 2, 3, 4]);
  await rm(folder, { recursive: true });
});

const bins = 'test/fixtures/formats/bin_llama';
const shards = [1, 2].map((place) => `pytorch_model-0000${place}-of-00002.bin`);

test('a folder of pytorch_model.bin shards, and each of them, has the values of the safetensors they were made from', async () => {
  const reference = await readOracle('test/fixtures/oracles/llama/model.safetensors');
  for (const path of [bins, ...shards.map((shard) => join(bins, shard))]) {
    const checkpoint = await openCheckpoint(path);
    assert.deepEqual([checkpoint.format, checkpoint.files.length, checkpoint.config?.model_type], ['pth', 2, 'llama']);
    assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...reference.keys()].sort());
    for (const [name, entry] of checkpoint.tensors) {
      assert.deepEqual(entry.shape, reference.get(name)?.shape, name);
      assert.deepEqual(await readTensor(checkpoint, entry), reference.get(name)?.data, name);
    }
  }
});

test('a folder of shards is found as one model', async () => {
  const found = await findCheckpoints(bins, 10);
  assert.deepEqual(found, [{ path: bins, name: 'bin_llama', format: 'pth', bytes: 64213 + 44199 }]);
});

test('a single pytorch_model.bin; a missing shard', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-bin-'));
  await copyFile(join(bins, shards[0] as string), join(folder, 'pytorch_model.bin'));
  const single = await openCheckpoint(folder);
  const { tensors } = await openCheckpoint(bins);
  assert.deepEqual(
    [...single.tensors.keys()],
    [...tensors.values()].filter(({ file }) => file === 0).map(({ name }) => name),
  );
  await copyFile(join(bins, 'pytorch_model.bin.index.json'), join(folder, 'pytorch_model.bin.index.json'));
  await assert.rejects(openCheckpoint(folder), { code: 'SHARD_MISSING', file: join(folder, shards[0] as string) });
  await rm(folder, { recursive: true });
});

test('a training checkpoint: its weights are found beside the optimizer’s state', async () => {
  const reference = await readOracle('test/fixtures/oracles/gpt2/model.safetensors');
  const checkpoint = await openCheckpoint('test/fixtures/formats/bin_gpt2.pt');
  assert.equal(checkpoint.tensors.size, 12);
  for (const [name, entry] of checkpoint.tensors) {
    const values = reference.get(name)?.data as Float32Array;
    assert.equal(entry.dtype, 'BF16');
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    // Rounded to the nearest, ties to even, as IEEE 754 says.
    const rounded = bits.map((code) => ((code + 0x7fff + ((code >>> 16) & 1)) & 0xffff0000) >>> 0);
    assert.deepEqual(await readTensor(checkpoint, entry), new Float32Array(rounded.buffer), name);
  }
});

test('a trainer’s checkpoint: the most tensors are the weights, under their own names, whatever views they are', async () => {
  const checkpoint = await openCheckpoint('test/fixtures/formats/trainer.ckpt');
  const values: Record<string, number[]> = {};
  for (const [name, entry] of checkpoint.tensors)
    if (entry.dtype !== 'C64') values[name] = [...(await readTensor(checkpoint, entry))];
  const turned = Array.from({ length: 24 }, (_, i) => (Math.floor(i / 3) % 2) * 12 + (i % 3) * 4 + Math.floor(i / 6));
  assert.deepEqual(values, {
    'lm_head.gaps': [1, 3, 5, 13, 15, 17],
    'model.turned': turned,
    'model.one': [1, 1, 1, 1, 1, 1],
    'model.empty': [],
    'model.scalar': [7],
    'model.f8': [1.5, -448],
    'model.u16': [1, 65535],
  });
  const shapes = ['lm_head.gaps', 'model.turned', 'model.scalar', 'model.complex'].map(
    (name) => checkpoint.tensors.get(name)?.shape,
  );
  assert.deepEqual(shapes, [[2, 3], [4, 2, 3], [], [1]]);
  assert.equal(checkpoint.tensors.get('model.one')?.sourceName, '_orig_mod.model.model.one');
});

const legacy = 'test/fixtures/formats/legacy.bin';

for (const file of [legacy, 'test/fixtures/formats/legacy4.bin'])
  test(`the format before PyTorch 1.6, ${basename(file)}: values, shared storage, places in the file`, async () => {
    const checkpoint = await openCheckpoint(file);
    const values: Record<string, number[]> = {};
    for (const [name, entry] of checkpoint.tensors) values[name] = [...(await readTensor(checkpoint, entry))];
    assert.deepEqual(values, { w: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], row: [4, 5, 6, 7], ids: [1, -2, 2 ** 40] });
    const [w, row] = ['w', 'row'].map((name) => checkpoint.tensors.get(name));
    assert.deepEqual([w?.shape, row?.shape, row?.offset], [[3, 4], [4], (w?.offset as number) + 16]);
  });

test('a damaged file of the old format is refused by code, wherever it ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-legacy-'));
  const path = join(folder, 'cut.bin');
  const whole = await readFile(legacy);
  for (let length = 15; length < whole.length; length += 7) {
    await writeFile(path, whole.subarray(0, length));
    await assert.rejects(openCheckpoint(path), { name: 'LabError' }, `${length} bytes`);
  }
  // One storage too long for the file.
  await writeFile(path, Buffer.from(whole).fill(0xff, whole.length - 56, whole.length - 49));
  await assert.rejects(openCheckpoint(path), { code: 'OFFSET_INVALID' });
  await rm(folder, { recursive: true });
});
