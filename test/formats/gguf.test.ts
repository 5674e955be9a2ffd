import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { findCheckpoints } from '../../server/formats/find.js';
import { bindable, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readOracle } from '../fixtures/readOracle.js';
import { architecture, ggufFile, ggufPair, ggufTensor, u16, u32 } from './craft.js';

const oracles = 'test/fixtures/oracles';

/** Files made by gguf's own writer and name map from the Hugging Face fixtures (test/fixtures/formats/makeGguf.py). */
const families: Record<string, { readonly tolerance: number; readonly extra?: RegExp }> = {
  llama: { tolerance: 0, extra: /^rope_freqs\.weight$/ },
  qwen2: { tolerance: 0 },
  qwen3: { tolerance: 0 },
  // 1 + w was rounded to fp32.
  gemma3_text: { tolerance: 2 ** -23 },
  gpt2: { tolerance: 0 },
  // exp, then log.
  mamba: { tolerance: 1e-6 },
  // The converter adds a value-residual factor that the first block has no use for.
  rwkv7: { tolerance: 0, extra: /^model\.layers\.0\.attn\.v_lora/ },
};

for (const [name, { tolerance, extra }] of Object.entries(families)) {
  test(`${name}: tensors have Hugging Face's names, shapes and values`, async () => {
    const reference = await readOracle(`${oracles}/${name}/model.safetensors`);
    const checkpoint = await openCheckpoint(`test/fixtures/formats/${name}.gguf`);
    const names = [...checkpoint.tensors.keys()].filter((n) => !extra?.test(n));
    assert.deepEqual(names.sort(), [...reference.keys()].sort());
    for (const [key, { shape, data }] of reference) {
      const entry = checkpoint.tensors.get(key);
      assert.ok(entry, key);
      assert.deepEqual(entry.shape, shape, key);
      const values = await readTensor(checkpoint, entry);
      const worst = data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (values[i] as number)) / (1 + Math.abs(value))),
        0,
      );
      assert.ok(worst <= tolerance, `${key}: ${worst}`);
    }
  });

  test(`${name}: config has Hugging Face's keys and values`, async () => {
    const { config } = await openCheckpoint(`test/fixtures/formats/${name}.gguf`);
    const { config: expected } = await openCheckpoint(`${oracles}/${name}`);
    assert.ok(config && expected);
    // Left out: query_pre_attn_scalar, which GGUF cannot carry (it is the head size in every released model but one).
    const compared = Object.keys(config).filter(
      (key) => key in expected && config[key] !== null && !/_token_id$|rope|norm_eps|epsilon|query_pre_attn_scalar/.test(key),
    );
    assert.ok(compared.length >= 7, compared.join(' '));
    for (const key of compared) {
      // A null in Hugging Face's config means 4 · n_embd, which GGUF spells out.
      const value: unknown = key === 'n_inner' ? 4 * (expected.n_embd as number) : expected[key];
      assert.deepEqual(config[key], value, key);
    }
    for (const key of Object.keys(config).filter((k) => /norm_eps$|epsilon$/.test(k) && k in expected))
      assert.equal(config[key], Math.fround(expected[key] as number), key);
  });
}

test('rotary settings: base, gemma’s two bases, llama3 factors as a tensor', async () => {
  const llama = await openCheckpoint('test/fixtures/formats/llama.gguf');
  assert.equal(llama.config?.rope_theta, 500000);
  const factors = llama.tensors.get('rope_freqs.weight');
  assert.ok(factors);
  assert.deepEqual(factors.shape, [4]);
  assert.equal((await readTensor(llama, factors))[0], 1);
  const gemma = await openCheckpoint('test/fixtures/formats/gemma3_text.gguf');
  assert.deepEqual([gemma.config?.rope_theta, gemma.config?.rope_local_base_freq], [1e6, 1e4]);
});

test('rows of permuted, turned and restored tensors are the rows of the whole', async () => {
  for (const [file, name] of [
    ['llama', 'model.layers.1.self_attn.q_proj.weight'],
    ['gpt2', 'transformer.h.0.mlp.c_fc.weight'],
    ['gemma3_text', 'model.layers.0.self_attn.k_norm.weight'],
    ['mamba', 'backbone.layers.1.mixer.A_log'],
  ] as const) {
    const checkpoint = await openCheckpoint(`test/fixtures/formats/${file}.gguf`);
    const entry = checkpoint.tensors.get(name);
    assert.ok(entry);
    assert.equal(bindable(entry), false, name);
    const whole = await readTensor(checkpoint, entry);
    const width = whole.length / (entry.shape[0] as number);
    for (const [from, to] of [
      [0, 1],
      [3, 4],
      [2, 7],
      [5, 5],
    ] as const)
      assert.deepEqual(
        await readTensor(checkpoint, entry, { from, to }),
        whole.slice(from * width, to * width),
        `${name} ${from}…${to}`,
      );
    await assert.rejects(readTensor(checkpoint, entry, { from: 0, to: 1000 }), { code: 'ROWS_INVALID' });
  }
});

test('quantised checkpoints differ from fp16 by the error of their type only', async () => {
  const [half, byte, nibble] = await Promise.all(
    ['f16', 'q8_0', 'q4_0'].map((type) => readOracle(`${oracles}/gguf_llama_${type}/model.gguf`)),
  );
  assert.ok(half && byte && nibble);
  for (const [name, { data }] of half) {
    const rms = (a: Float32Array) => Math.sqrt(a.reduce((sum, v, i) => sum + (v - (data[i] as number)) ** 2, 0) / a.length);
    const scale = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
    if (name.includes('norm')) continue;
    assert.ok(rms(byte.get(name)?.data as Float32Array) < 0.01 * scale, name);
    assert.ok(rms(nibble.get(name)?.data as Float32Array) < 0.15 * scale, name);
  }
});

test('metadata: values of every kind, long arrays abbreviated, vocabulary whole for the tokenizer', async () => {
  const types = await openCheckpoint(`${oracles}/gguf_types/types.gguf`);
  assert.deepEqual(types.metadata['labE.array_i32'], [1, -2, 3]);
  assert.deepEqual(types.metadata['labE.array_str'], ['a', '我', '😀']);
  assert.equal(types.metadata['labE.f32'], 1.5);
  assert.equal(types.metadata['labE.b'], true);
  assert.equal(types.metadata['labE.u64'], 9007199254740994);
  assert.equal(types.metadata['labE.i8'], -5);
  const llama = await openCheckpoint(`${oracles}/gguf_llama_f16/model.gguf`);
  assert.deepEqual(llama.metadata['tokenizer.ggml.scores'], { length: 96, first: [0, 0, 0, 0, 0, 0, 0, 0] });
  assert.equal(llama.tokenizer?.kind, 'gguf');
  const tokens = llama.tokenizer.kind === 'gguf' ? llama.tokenizer.metadata['tokenizer.ggml.tokens'] : null;
  assert.equal((tokens as string[]).length, 96);
  assert.deepEqual(llama.generation, { bos_token_id: 1, eos_token_id: [2] });
  assert.equal(bindable(llama.tensors.get('model.layers.0.self_attn.v_proj.weight') as never), true);
});

test('names that every object inherits are names like others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-gguf-'));
  const tensors = ['constructor', 'blk.0.toString.weight', '__proto__', '', 'a\nb'].map((name, i) =>
    ggufTensor(name, [4], 0, 32 * i),
  );
  for (const name of ['constructor', '__proto__', 'mystery']) {
    await writeFile(join(folder, 'x.gguf'), ggufFile({ pairs: [architecture(name)], tensors, data: 160 }));
    const checkpoint = await openCheckpoint(join(folder, 'x.gguf'));
    assert.deepEqual({ ...checkpoint.config }, { model_type: name });
    assert.deepEqual([...checkpoint.tensors.keys()], ['constructor', 'blk.0.toString.weight', '__proto__', '', 'a\nb']);
  }
  // With an embedding the family's table of names is used.
  const pairs = 'block_count attention.head_count feed_forward_length context_length attention.layer_norm_rms_epsilon'
    .split(' ')
    .map((key) => ggufPair(`llama.${key}`, 4, u32(1)));
  const embedding = ggufTensor('token_embd.weight', [4, 4], 0, 160);
  await writeFile(
    join(folder, 'y.gguf'),
    ggufFile({ pairs: [architecture('llama'), ...pairs], tensors: [...tensors, embedding], data: 224 }),
  );
  const named = [...(await openCheckpoint(join(folder, 'y.gguf'))).tensors.keys()];
  assert.deepEqual(named, ['constructor', 'blk.0.toString.weight', '__proto__', '', 'a\nb', 'model.embed_tokens.weight']);
  await rm(folder, { recursive: true });
});

const partsFolder = 'test/fixtures/formats';
const parts = [1, 2, 3].map((place) => `llama_parts-0000${place}-of-00003.gguf`);
const asFolder = async (use: (folder: string) => Promise<void>) => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-gguf-'));
  await use(folder).finally(() => rm(folder, { recursive: true }));
};

test('any part opens a model that was split, with the tensors, config and name of the whole', async () => {
  const whole = await openCheckpoint(`${partsFolder}/llama.gguf`);
  const reference = await readOracle(whole.path);
  for (const part of parts) {
    const checkpoint = await openCheckpoint(join(partsFolder, part));
    assert.deepEqual([checkpoint.name, checkpoint.path], ['llama_parts', join(partsFolder, parts[0] as string)]);
    assert.equal(checkpoint.files.length, 3);
    assert.deepEqual(new Set([...checkpoint.tensors.values()].map(({ file }) => file)), new Set([0, 1, 2]));
    assert.deepEqual(checkpoint.config, whole.config);
    assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...reference.keys()].sort());
    for (const [name, entry] of checkpoint.tensors)
      assert.deepEqual(await readTensor(checkpoint, entry), reference.get(name)?.data, name);
  }
});

test('a split model is found once and opens by its folder; one part without the others is refused', () =>
  asFolder(async (folder) => {
    for (const part of parts) await copyFile(join(partsFolder, part), join(folder, part));
    assert.equal((await openCheckpoint(folder)).name, 'llama_parts');
    const [found, ...others] = await findCheckpoints(folder, 10);
    assert.deepEqual([found?.name, found?.bytes, others], ['llama_parts', 50528 + 37600 + 13024, []]);
    await rm(join(folder, parts[1] as string));
    for (const path of [folder, join(folder, parts[0] as string), join(folder, parts[2] as string)])
      await assert.rejects(openCheckpoint(path), { code: 'SHARD_MISSING', file: join(folder, parts[1] as string) });
    await copyFile(join(partsFolder, parts[2] as string), join(folder, parts[1] as string));
    await assert.rejects(openCheckpoint(folder), { code: 'GGUF_SPLIT', file: join(folder, parts[1] as string) });
    await copyFile(join(partsFolder, parts[0] as string), join(folder, 'renamed.gguf'));
    await assert.rejects(openCheckpoint(join(folder, 'renamed.gguf')), { code: 'GGUF_SPLIT' });
  }));

test('parts that lack tensors, or cannot say how many they are, are refused', () =>
  asFolder(async (folder) => {
    const part = (no: number, count: Uint8Array) =>
      ggufFile({
        pairs: [
          architecture('llama'),
          ggufPair('split.no', 2, u16(no)),
          ggufPair('split.count', count.length === 2 ? 2 : 6, count),
          ggufPair('split.tensors.count', 5, u32(3)),
        ],
        tensors: [ggufTensor(`t${no}`, [4], 0, 0)],
        data: 16,
      });
    for (const no of [0, 1]) await writeFile(join(folder, `x-0000${no + 1}-of-00002.gguf`), part(no, u16(2)));
    await assert.rejects(openCheckpoint(folder), { code: 'GGUF_SPLIT', message: 'The 2 parts hold 2 tensors, not 3.' });
    await writeFile(join(folder, 'x-00001-of-00002.gguf'), part(0, new Uint8Array(Float32Array.of(1.5).buffer)));
    await assert.rejects(openCheckpoint(folder), { code: 'METADATA_INVALID' });
  }));

test('a folder with one .gguf is that model; with several, one has to be named', () =>
  asFolder(async (folder) => {
    await copyFile(`${partsFolder}/llama.gguf`, join(folder, 'one.gguf'));
    await writeFile(join(folder, 'README.md'), 'A model.');
    assert.equal((await openCheckpoint(folder)).path, join(folder, 'one.gguf'));
    await copyFile(`${partsFolder}/llama.gguf`, join(folder, 'two.gguf'));
    await assert.rejects(openCheckpoint(folder), { code: 'FORMAT_UNKNOWN' });
    await mkdir(join(folder, 'empty'));
    await assert.rejects(openCheckpoint(join(folder, 'empty')), { code: 'FORMAT_UNKNOWN' });
  }));
