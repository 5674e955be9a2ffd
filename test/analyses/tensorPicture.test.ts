import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { tensorPicture } from '../../server/analyses/tensorPicture.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { readOracle } from '../fixtures/readOracle.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-lab-picture-'));
});
after(() => rm(folder, { recursive: true }));

/** Picture of one tensor of these values. */
async function pictureOf(shape: readonly number[], data: Float32Array, rows: number, cols: number, bins: number) {
  const path = join(folder, 'x.safetensors');
  await writeSafetensors(path, new Map([['x', { shape, data }]]));
  return tensorPicture(await openCheckpoint(path), 'x', rows, cols, bins);
}

test('each cell shows the signed value of largest magnitude; bins include both ends', async () => {
  const picture = await pictureOf([2, 4], Float32Array.of(1, -3, 0, 2, 0.5, 2, -4, 4), 1, 2, 4);
  assert.deepEqual(picture.heatmap, { shape: [1, 2], data: Float32Array.of(-3, -4) });
  assert.deepEqual(picture.histogram.edges.data, Float32Array.of(-4, -2, 0, 2, 4));
  assert.deepEqual(picture.histogram.counts.data, Float32Array.of(2, 0, 3, 3));
  const { std, ...stats } = picture.stats;
  assert.deepEqual(stats, { min: -4, max: 4, mean: 0.3125, nan: 0, inf: 0, zeros: 1, count: 8 });
  assert.ok(Math.abs(std - Math.sqrt(50.25 / 8 - 0.3125 ** 2)) < 1e-12);
  assert.equal(picture.provenance.provider, 'file');
  assert.equal(picture.bytesRead, 64);
});

test('NaN shows in its cell, infinities are counted, neither spoils the statistics', async () => {
  const picture = await pictureOf([2, 2], Float32Array.of(Number.NaN, 9, 1, Number.NEGATIVE_INFINITY), 1, 2, 2);
  assert.deepEqual(picture.heatmap.data, Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY));
  assert.deepEqual(
    [picture.stats.nan, picture.stats.inf, picture.stats.min, picture.stats.max, picture.stats.mean],
    [1, 1, 1, 9, 5],
  );
  assert.deepEqual(picture.histogram.counts.data, Float32Array.of(1, 1));
});

test('constant, empty, scalar and 3-D tensors', async () => {
  const constant = await pictureOf([3], Float32Array.of(2, 2, 2), 8, 8, 2);
  assert.deepEqual(constant.histogram, {
    edges: { shape: [3], data: Float32Array.of(1.5, 2, 2.5) },
    counts: { shape: [2], data: Float32Array.of(0, 3) },
  });
  assert.deepEqual([constant.rows, constant.cols, constant.stats.std], [1, 3, 0]);
  const empty = await pictureOf([0, 4], new Float32Array(0), 8, 8, 2);
  assert.deepEqual([empty.stats.count, empty.stats.min, empty.heatmap.shape], [0, Number.NaN, [0, 4]]);
  const scalar = await pictureOf([], Float32Array.of(7), 8, 8, 1);
  assert.deepEqual(scalar.heatmap, { shape: [1, 1], data: Float32Array.of(7) });
  const cube = await pictureOf(
    [2, 3, 2],
    Float32Array.from({ length: 12 }, (_, i) => i),
    3,
    2,
    1,
  );
  assert.deepEqual(cube.heatmap, { shape: [3, 2], data: Float32Array.of(2, 3, 6, 7, 10, 11) });
});

test('real weights: the picture of fp16 and permuted tensors agrees with the whole tensor', async () => {
  for (const [path, name] of [
    ['media/models/tiny-llama', 'model.embed_tokens.weight'],
    ['test/fixtures/oracles/gguf_llama_q8_0/model.gguf', 'model.layers.0.self_attn.q_proj.weight'],
  ] as const) {
    const data = (await readOracle(path)).get(name)?.data as Float32Array;
    const picture = await tensorPicture(await openCheckpoint(path), name, 16, 16, 32);
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    assert.ok(Math.abs(picture.stats.mean - mean) < 1e-9);
    assert.ok(Math.abs(picture.stats.std - Math.sqrt(data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length)) < 1e-9);
    assert.equal(
      picture.stats.max,
      data.reduce((a, b) => Math.max(a, b)),
    );
    assert.equal(
      picture.histogram.counts.data.reduce((a, b) => a + b),
      data.length,
    );
    const largest = data.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    assert.ok(picture.heatmap.data.includes(largest));
    assert.equal(picture.sampled, false);
  }
});

test('more than 64 M values: evenly spaced rows, memory bounded', async () => {
  const path = join(folder, 'big.safetensors');
  const [rows, cols] = [1 << 20, 128];
  const json = JSON.stringify({ x: { dtype: 'I8', shape: [rows, cols], data_offsets: [0, rows * cols] } });
  const header = Buffer.alloc(8 + json.length);
  header.writeBigUInt64LE(BigInt(json.length));
  header.write(json, 8);
  const file = await open(path, 'w');
  await file.write(header);
  await file.truncate(header.length + rows * cols);
  // Row 0 is always among the sampled ones.
  await file.write(Buffer.of(5), 0, 1, header.length + 3);
  await file.close();
  const picture = await tensorPicture(await openCheckpoint(path), 'x', 64, 64, 4);
  assert.equal(picture.sampled, true);
  assert.equal(picture.stats.count, 64 << 20);
  assert.equal(picture.bytesRead, 2 * (64 << 20));
  assert.equal(picture.heatmap.data[1], 5);
  assert.equal(picture.stats.max, 5);
  // fp32 rounds the count itself, but must not stop counting at 2^24.
  assert.equal(picture.histogram.counts.data[0], Math.fround((64 << 20) - 1));
});

test('an unknown tensor is an error by code', async () => {
  await assert.rejects(tensorPicture(await openCheckpoint('media/models/tiny-llama'), 'nope', 4, 4, 4), {
    code: 'TENSOR_UNKNOWN',
  });
});

test('a picture nobody waits for is given up', async () => {
  const checkpoint = await openCheckpoint('media/models/tiny-llama');
  const picture = tensorPicture(checkpoint, 'model.embed_tokens.weight', 4, 4, 4, AbortSignal.abort());
  await assert.rejects(picture, { code: 'CANCELLED' });
});
