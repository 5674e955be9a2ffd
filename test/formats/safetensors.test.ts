import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { findCheckpoints } from '../../server/formats/find.js';
import { bindable } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { readOracle } from '../fixtures/readOracle.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-lab-formats-'));
});
after(() => rm(folder, { recursive: true }));

/** A header alone, as a sparse file of `bytes`. */
async function writeSparse(path: string, tensors: Record<string, unknown>, bytes: number): Promise<void> {
  const json = Buffer.from(JSON.stringify(tensors));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json]));
  const file = await open(path, 'r+');
  await file.truncate(8 + json.length + bytes);
  await file.close();
}

test('the embedded models open with config, tokenizer and weights that can be bound in place', async () => {
  for (const name of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7']) {
    const checkpoint = await openCheckpoint(`media/models/${name}`);
    assert.equal(checkpoint.name, name);
    assert.equal(checkpoint.tokenizer?.kind, 'hf');
    assert.ok(checkpoint.config && checkpoint.generation);
    assert.ok([...checkpoint.tensors.values()].every(bindable));
    const file = await openCheckpoint(`media/models/${name}/model.safetensors`);
    assert.deepEqual(file.config, checkpoint.config);
    assert.deepEqual([...file.tensors], [...checkpoint.tensors]);
  }
});

test('what is written is read back; wide types are aligned; nothing is left beside it', async () => {
  const path = join(folder, 'written.safetensors');
  const tensors = new Map([
    ['bytes', { shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ['ids', { shape: [2], data: Int32Array.of(-1, 7) }],
    ['x', { shape: [2, 2], data: Float32Array.of(1, 2, 3, Number.NaN) }],
    ['__proto__', { shape: [], data: Float32Array.of(4) }],
  ]);
  await writeSafetensors(path, tensors, { seed: '1' });
  const read = await readOracle(path);
  for (const [name, { shape, data }] of tensors) assert.deepEqual(read.get(name), { shape, data: Float32Array.from(data) }, name);
  const checkpoint = await openCheckpoint(path);
  assert.deepEqual(checkpoint.metadata, { seed: '1' });
  for (const name of ['ids', 'x', '__proto__']) assert.equal((checkpoint.tensors.get(name)?.offset as number) % 4, 0);
  assert.equal(checkpoint.config, null);
  assert.deepEqual(await readdir(folder), ['written.safetensors']);
  await assert.rejects(writeSafetensors(path, new Map([['x', { shape: [3], data: new Float32Array(2) }]])), {
    code: 'SIZE_MISMATCH',
  });
  for (const place of [join(folder, 'none', 'x.safetensors'), folder, '/dev/null'])
    await assert.rejects(writeSafetensors(place, tensors), { code: 'FILE_UNWRITABLE' });
  assert.deepEqual((await readOracle(path)).size, 4);
});

test('a sharded model of 100 GB opens by its headers alone, from the folder or from a shard', async () => {
  const model = join(folder, 'sharded');
  await cp('test/fixtures/oracles/llama', model, { recursive: true });
  await rm(join(model, 'model.safetensors'));
  await rm(join(model, 'oracle.safetensors'));
  const map: Record<string, string> = {};
  for (let shard = 0; shard < 10; shard++) {
    const file = `model-${String(shard + 1).padStart(5, '0')}-of-00010.safetensors`;
    const bytes = 10 * 2 ** 30;
    map[`w${shard}`] = file;
    await writeSparse(
      join(model, file),
      { [`w${shard}`]: { dtype: 'F16', shape: [bytes / 8192, 4096], data_offsets: [0, bytes] } },
      bytes,
    );
  }
  await writeFile(join(model, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
  const before = process.memoryUsage().arrayBuffers;
  const checkpoint = await openCheckpoint(model);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  assert.equal(checkpoint.files.length, 10);
  assert.deepEqual(checkpoint.tensors.get('w9')?.shape, [1310720, 4096]);
  assert.equal(checkpoint.tensors.get('w9')?.file, 9);
  const shard = await openCheckpoint(join(model, 'model-00003-of-00010.safetensors'));
  assert.deepEqual([...shard.tensors.keys()], [...checkpoint.tensors.keys()]);
  await rm(join(model, 'model-00004-of-00010.safetensors'));
  await assert.rejects(openCheckpoint(model), { code: 'SHARD_MISSING', file: join(model, 'model-00004-of-00010.safetensors') });
});

test('shards read as the whole model does', async () => {
  const model = join(folder, 'two-shards');
  await mkdir(model);
  const whole = await readOracle('test/fixtures/oracles/llama/model.safetensors');
  const halves = [...whole].map(([name], i) => [name, `model-0000${(i % 2) + 1}-of-00002.safetensors`] as const);
  for (const file of new Set(halves.map(([, f]) => f)))
    await writeSafetensors(
      join(model, file),
      new Map([...whole].filter(([name]) => halves.some(([n, f]) => n === name && f === file))),
    );
  await writeFile(join(model, 'model.safetensors.index.json'), JSON.stringify({ weight_map: Object.fromEntries(halves) }));
  assert.deepEqual(new Map([...(await readOracle(model))].sort()), new Map([...whole].sort()));
});

test('the Hugging Face cache: links are resolved, the name is the repository’s', async () => {
  const snapshot = join(folder, 'models--owner--small', 'snapshots', 'abc');
  await cp('test/fixtures/oracles/llama', snapshot, { recursive: true });
  const blob = join(folder, 'blob');
  await cp(join(snapshot, 'model.safetensors'), blob);
  await rm(join(snapshot, 'model.safetensors'));
  await symlink(blob, join(snapshot, 'model.safetensors'));
  const checkpoint = await openCheckpoint(snapshot);
  assert.equal(checkpoint.name, 'owner/small');
  assert.ok(checkpoint.files[0]?.path.endsWith('blob'));
  assert.ok((await openCheckpoint(join(snapshot, 'model.safetensors'))).config);
});

test('chat templates: jinja file, then JSON file, then the default of tokenizer_config', async () => {
  const model = join(folder, 'templates');
  await cp('media/models/tiny-llama', model, { recursive: true });
  const template = async () => {
    const { tokenizer } = await openCheckpoint(model);
    return tokenizer?.kind === 'hf' ? tokenizer.chatTemplate : undefined;
  };
  const named = [
    { name: 'rag', template: 'R' },
    { name: 'default', template: 'D' },
  ];
  await writeFile(join(model, 'tokenizer_config.json'), '{}');
  assert.equal(await template(), null);
  await writeFile(join(model, 'tokenizer_config.json'), JSON.stringify({ chat_template: named }));
  assert.equal(await template(), 'D');
  await writeFile(join(model, 'chat_template.json'), JSON.stringify({ chat_template: 'J' }));
  assert.equal(await template(), 'J');
  await writeFile(join(model, 'chat_template.jinja'), '{{ messages }}');
  assert.equal(await template(), '{{ messages }}');
});

test('models of a workspace are found by name: folders once, stray files singly, lists of import paths not at all', async () => {
  const workspace = join(folder, 'workspace');
  await cp('test/fixtures/oracles/llama', join(workspace, 'models', 'llama'), { recursive: true });
  await cp('test/fixtures/oracles/rwkv_pth_v7/model.pth', join(workspace, 'rwkv.pth'));
  await cp('test/fixtures/oracles/gguf_llama_q4_0/model.gguf', join(workspace, 'models', 'llama', 'q4.gguf'));
  await cp('test/fixtures/oracles/llama', join(workspace, 'node_modules', 'llama'), { recursive: true });
  await cp('test/fixtures/formats/legacy.bin', join(workspace, 'old.pt'));
  await writeFile(join(workspace, 'distutils-precedence.pth'), 'import os');
  const found = await findCheckpoints(workspace, 100);
  const relative = found.map(({ path, format }) => `${format} ${path.slice(workspace.length + 1)}`);
  assert.deepEqual(relative, ['pth old.pt', 'pth rwkv.pth', 'safetensors models/llama', 'gguf models/llama/q4.gguf']);
  assert.equal(found[1]?.bytes, (await readFile(join(workspace, 'rwkv.pth'))).length);
  assert.equal((await findCheckpoints(workspace, 2)).length, 2);
  assert.deepEqual(await findCheckpoints(join(workspace, 'missing'), 5), []);
});
