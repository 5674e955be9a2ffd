import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { tensorChannels } from '../../server/analyses/weightChannels.js';
import { diff, diffTensor } from '../../server/analyses/weightDiff.js';
import { matrixProduct } from '../../server/analyses/weightProduct.js';
import { quantisation } from '../../server/analyses/weightQuantisation.js';
import { tensorSpectrum } from '../../server/analyses/weightSpectrum.js';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import type { RunView } from '../../server/runtime/view.js';
import { alone } from '../../server/runtime/view.js';
import { fixtures } from '../parity/oracle.js';
import { open } from '../parity/reference.js';

const folder = path.resolve(import.meta.dirname, '../fixtures/weights');
const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8'));
const checkpoint = () => openCheckpoint(path.join(folder, 'tensors.safetensors'));

let scratch: string;
before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'model-lab-weights-'));
});
after(() => rm(scratch, { recursive: true }));

const near = (actual: number, wanted: number, tolerance: number, what: string) =>
  assert.ok(
    Math.abs(actual - wanted) <= tolerance * Math.max(1e-30, Math.abs(wanted)),
    `${what}: ${actual} instead of ${wanted}`,
  );

for (const name of ['plain', 'tall', 'decades'])
  test(`the spectrum of ${name} is numpy's`, async () => {
    const found = await tensorSpectrum(await checkpoint(), name, alone);
    const { sigma, ...ranks } = expected[name];
    for (const [i, s] of sigma.entries())
      assert.ok(Math.abs((found.sigma.data[i] as number) - s) < 2e-7 * sigma[0], `σ${i}: ${found.sigma.data[i]} instead of ${s}`);
    near(found.effectiveRank as number, ranks.effectiveRank, 1e-6, 'effective rank');
    near(found.stableRank, ranks.stableRank, 1e-6, 'stable rank');
    near(found.condition as number, ranks.condition, name === 'decades' ? 1e-2 : 1e-6, 'condition');
    assert.equal(found.rank99, ranks.rank99);
  });

test('block formats lose what the gguf package loses', async () => {
  const { roundTrips, stored, blockSize } = await quantisation(await checkpoint(), 'plain', alone.signal);
  assert.deepEqual([stored, blockSize], [false, 32]);
  for (const [format, wanted] of Object.entries<Record<string, number>>(expected.plain.roundTrips)) {
    const found = roundTrips.find((trip) => trip.format === format);
    assert.ok(found);
    for (const key of ['max', 'rms', 'relative'] as const) near(found[key], wanted[key] as number, 1e-6, `${format} ${key}`);
    near(found.sqnr, -20 * Math.log10(wanted.relative as number), 1e-6, `${format} SQNR`);
  }
});

test('a quantised tensor shows the blocks it has, and makes no round trip', async () => {
  const gguf = await openCheckpoint(path.join(fixtures, 'gguf_llama_q4_0/model.gguf'));
  const name = [...gguf.tensors.values()].find(({ dtype }) => dtype === 'Q4_0')?.name as string;
  const found = await quantisation(gguf, name, alone.signal);
  assert.deepEqual([found.stored, found.blockSize, found.roundTrips.length], [true, 32, 0]);
  const { shape } = gguf.tensors.get(name) as TensorEntry;
  const blocks = found.ranges.counts.data.reduce((sum, n) => sum + n, 0);
  assert.equal(blocks, shape.reduce((a, b) => a * b, 1) / 32);
});

test('norms of rows and columns are numpy’s, and those that stand out are told', async () => {
  const { rows, cols } = await tensorChannels(await checkpoint(), 'plain', alone.signal);
  for (const [i, wanted] of expected.plain.rowNorms.entries()) near(rows.norms.data[i] as number, wanted, 1e-6, `row ${i}`);
  for (const [i, wanted] of expected.plain.colNorms.entries()) near(cols.norms.data[i] as number, wanted, 1e-6, `column ${i}`);
  assert.deepEqual([rows.outliers[0]?.index, cols.outliers[0]?.index], [5, 9]);
  assert.ok((rows.outliers[0]?.z as number) > 100);
});

/** a, and b = a + a change of rank 2; a NaN in one tensor, one of another shape, one missing. */
async function pair() {
  const [m, n] = [24, 40];
  const a = Float32Array.from({ length: m * n }, (_, i) => Math.sin(i * i));
  const b = a.map((x, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return x + 0.01 * Math.cos(i) * Math.sin(j) + 0.02 * i * (j % 3);
  });
  const shared = { shape: [3], data: Float32Array.of(1, 2, 3) };
  const files = [path.join(scratch, 'a.safetensors'), path.join(scratch, 'b.safetensors')] as const;
  await writeSafetensors(
    files[0],
    new Map([
      ['w', { shape: [m, n], data: a }],
      ['same', shared],
      ['nan', { shape: [2], data: Float32Array.of(1, 2) }],
      ['grown', { shape: [2], data: Float32Array.of(1, 2) }],
      ['gone', shared],
    ]),
  );
  await writeSafetensors(
    files[1],
    new Map([
      ['w', { shape: [m, n], data: b }],
      ['same', shared],
      ['nan', { shape: [2], data: Float32Array.of(1, Number.NaN) }],
      ['grown', { shape: [3], data: Float32Array.of(1, 2, 3) }],
      ['new', shared],
    ]),
  );
  return { a, b, files, m, n };
}

test('two checkpoints by tensor: norms, cosine, what is missing, what has another shape', async () => {
  const { a, b, files } = await pair();
  const result = await diff(await openCheckpoint(files[0]), await openCheckpoint(files[1]), alone);
  assert.deepEqual([result.onlyA, result.onlyB], [['gone'], ['new']]);
  assert.deepEqual(result.reshaped, [{ name: 'grown', a: [2], b: [3] }]);
  const of = (name: string) => result.tensors.find((t) => t.name === name);
  const norm = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  const delta = b.map((x, i) => x - (a[i] as number));
  near(of('w')?.relative as number, norm(delta) / norm(a), 1e-6, 'relative');
  near(of('w')?.cosine as number, a.reduce((sum, x, i) => sum + x * (b[i] as number), 0) / (norm(a) * norm(b)), 1e-6, 'cosine');
  assert.deepEqual([of('same')?.relative, of('same')?.changed, of('same')?.max], [0, 0, 0]);
  assert.ok(Number.isNaN(of('nan')?.relative) && Number.isNaN(of('nan')?.max));
});

test('the difference of a tensor has the rank that was put in', async () => {
  const { files, m, n } = await pair();
  const [a, b] = [await openCheckpoint(files[0]), await openCheckpoint(files[1])];
  const { spectrum, heatmap, rows, cols } = await diffTensor(a, b, 'w', { rows: 8, cols: 8, bins: 10 }, alone);
  assert.deepEqual([rows, cols, heatmap.shape], [m, n, [8, 8]]);
  const sigma = spectrum?.sigma.data as Float32Array;
  assert.ok((sigma[1] as number) > 1e-3 * (sigma[0] as number));
  assert.ok((sigma[2] as number) < 1e-5 * (sigma[0] as number));
  assert.equal((await diffTensor(a, b, 'nan', { rows: 8, cols: 8, bins: 10 }, alone)).spectrum, null);
  await assert.rejects(diffTensor(a, b, 'grown', { rows: 8, cols: 8, bins: 10 }, alone), { code: 'TENSOR_SHAPE' });
});

test('formats are compared by canonical names', async () => {
  const f16 = await openCheckpoint(path.join(fixtures, 'gguf_llama_f16/model.gguf'));
  const q8 = await openCheckpoint(path.join(fixtures, 'gguf_llama_q8_0/model.gguf'));
  const { tensors, onlyA, onlyB } = await diff(f16, q8, alone);
  assert.deepEqual([onlyA, onlyB], [[], []]);
  const q = tensors.find(({ name }) => name.endsWith('q_proj.weight'));
  assert.deepEqual(q?.dtypes, ['F16', 'Q8_0']);
  assert.ok((q?.relative as number) > 1e-3 && (q?.relative as number) < 1e-2);
});

const word = (id: number) => ({ text: String(id), bytes: [] });

/** Matrices of every kind: [out, in] and [in, out], fused, of a recurrence, of the head. */
const products: Readonly<Record<string, readonly string[]>> = {
  llama: ['model.layers.1.self_attn.q_proj.weight', 'model.layers.0.mlp.down_proj.weight', 'lm_head.weight'],
  gpt2: ['transformer.h.1.attn.c_attn.weight', 'transformer.h.0.mlp.c_proj.weight'],
  mamba: ['backbone.layers.1.mixer.in_proj.weight', 'backbone.layers.0.mixer.out_proj.weight'],
  rwkv7: ['model.layers.1.attn.r_proj.weight', 'model.layers.0.ffn.value.weight'],
  jamba: ['model.layers.0.mamba.in_proj.weight'],
};

for (const [family, names] of Object.entries(products))
  test(`${family}: y = A x of the run is the sum of the singular directions`, async () => {
    const { device, model, run } = await open(path.join(fixtures, family));
    await run.prefill([3, 14, 15, 9, 26, 5]);
    const view = {
      ids: run.ids,
      model: { name: family, dtype: 'F32', provider: 'cpu' },
      probes: run.probes.bind(run),
    } as unknown as RunView;
    for (const tensor of names) {
      const found = await matrixProduct(model, view, { tensor, token: 4, directions: 5 }, word, alone);
      assert.ok(found.complete);
      assert.ok(found.identity.error < 1e-5 * Math.max(1, found.identity.magnitude), `${tensor}: ${found.identity.error}`);
      assert.ok(found.identity.magnitude > 1e-6, `${tensor} gives something`);
      near(
        found.shares.data.reduce((sum, x) => sum + x, 0),
        1,
        1e-4,
        `${tensor}: shares`,
      );
      const entry = model.checkpoint.tensors.get(tensor) as TensorEntry;
      const D = model.bound.config.dModel;
      assert.equal(found.directions[0]?.reads === null, found.cols !== D, `${tensor} reads`);
      assert.equal(
        found.directions[0]?.writes === null,
        found.rows !== D && found.rows !== model.bound.config.vocab,
        `${tensor} writes`,
      );
      assert.equal(
        found.rows * found.cols,
        entry.shape.reduce((a, b) => a * b, 1),
      );
    }
    await device.close();
  });

test('what a direction reads is told in the words of the embedding', async () => {
  const { device, model, run } = await open(path.join(fixtures, 'llama'));
  await run.prefill([3, 14, 15, 9]);
  const view = {
    ids: run.ids,
    model: { name: 'llama', dtype: 'F32', provider: 'cpu' },
    probes: run.probes.bind(run),
  } as unknown as RunView;
  const tensor = 'model.layers.0.self_attn.k_proj.weight';
  const { directions, x, cols } = await matrixProduct(model, view, { tensor, token: 2, directions: 64 }, word, alone);
  const embedding = await readTensor(model.checkpoint, model.checkpoint.tensors.get('model.embed_tokens.weight') as TensorEntry);
  const [first] = directions;
  // v is not sent, but v · x and the scores are linear in it: Σ over all directions of (v · x) (E v) is E x on the span of v
  assert.equal(
    directions.every(({ projection }) => projection >= 0),
    true,
  );
  const scores = (first?.reads ?? []).map(({ score }) => score);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  const size = Math.max(
    ...Array.from({ length: embedding.length / cols }, (_, v) => Math.hypot(...embedding.subarray(v * cols, (v + 1) * cols))),
  );
  assert.ok(
    scores.every((score) => Math.abs(score) <= size + 1e-6),
    'a direction has length 1',
  );
  assert.ok(x.data.length === cols);
  await device.close();
});

test('an expert, a table of rows and a stranger have no product', async () => {
  const { device, model, run } = await open(path.join(fixtures, 'llama'));
  await run.prefill([3, 14]);
  const view = {
    ids: run.ids,
    model: { name: 'llama', dtype: 'F32', provider: 'cpu' },
    probes: run.probes.bind(run),
  } as unknown as RunView;
  const ask = (tensor: string) => matrixProduct(model, view, { tensor, token: 0, directions: 1 }, word, alone);
  for (const tensor of ['model.norm.weight', 'model.nothing.weight'])
    await assert.rejects(ask(tensor), { code: 'TENSOR_NO_PRODUCT' });
  await device.close();
});
