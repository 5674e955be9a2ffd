import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { cell, row } from '../../server/analyses/attentionRow.js';
import { column, edges } from '../../server/analyses/attentionSearch.js';
import { preview, tile } from '../../server/analyses/attentionTile.js';
import type { HeadScores } from '../../server/protocol/attention.js';
import { LabError } from '../../server/protocol/errors.js';
import { alone } from '../../server/runtime/view.js';
import { code } from '../code.js';
import { attentionLayer, constructedRun, pattern, tensor } from './constructed.js';

const near = (actual: number, expected: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);

const one = (on: boolean) => (on ? 1 : 0);
const uniform = (q: number) => 1 / (q + 1);
const previous = (q: number, k: number) => one(k === Math.max(0, q - 1));
const sink = (_: number, k: number) => one(k === 0);

test('each known kind of head has its own score 1', async () => {
  const ids = [5, 6, 7, 8, 5, 6, 7, 8];
  const T = ids.length;
  const induction = (q: number, k: number) => one(q < 4 ? k === 0 : k === q - 3);
  const view = constructedRun(ids, [attentionLayer({ heads: 4, kvHeads: 2 })], {
    'blocks.0.attn.pattern': pattern(T, induction, previous, sink, uniform),
  });
  const { scores: found, heads, kvHeads } = await thumbnails(view, { layer: 0, count: T, sample: false }, alone);
  const scores = found as readonly HeadScores[];
  assert.deepEqual([heads, kvHeads], [4, 2]);
  near(scores[0]?.induction as number, 1);
  near(scores[1]?.previous as number, 1);
  near(scores[2]?.sink as number, 1);
  near(scores[1]?.induction as number, 0);
  near(scores[2]?.entropy as number, 0);
  // rows of 1…8 equal weights
  const bits = [1, 2, 3, 4, 5, 6, 7, 8].reduce((sum, n) => sum + Math.log2(n), 0) / 8;
  near(scores[3]?.entropy as number, bits);
  // the four rows with a copy: one of 5, 6, 7, 8 equal weights
  near(scores[3]?.induction as number, (1 / 5 + 1 / 6 + 1 / 7 + 1 / 8) / 4);
});

test('a repeated token next to itself is no induction', async () => {
  const view = constructedRun([1, 1, 1], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(3, (q, k) => one(q === k)) });
  const { scores } = await thumbnails(view, { layer: 0, count: 3, sample: false }, alone);
  near(scores?.[0]?.induction as number, 0);
});

test('thumbnails keep the largest weight of each cell', async () => {
  const T = 130; // 64 cells at most: four tokens a cell
  const ids = Array.from({ length: T }, (_, i) => i);
  const view = constructedRun(ids, [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(T, previous) });
  const { thumbnails: found, pool } = await thumbnails(view, { layer: 0, count: T, sample: false }, alone);
  assert.deepEqual([pool, found.shape], [4, [1, 33, 33]]);
  for (let r = 0; r < 33; r++)
    for (let c = 0; c < 33; c++) assert.equal(found.data[r * 33 + c], c === r || c === r - 1 ? 255 : 0, `${r} ${c}`);
  const one = constructedRun([1], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(1, () => 1) });
  assert.deepEqual([...(await thumbnails(one, { layer: 0, count: 1, sample: false }, alone)).thumbnails.data], [255]);
});

const four = () => constructedRun([1, 2, 3, 4], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(4, uniform) });
const whole = { layer: 0, head: 0, count: 4, level: 1, row: 0, col: 0, pool: 'mean' } as const;

test('a tile pools by mean or by maximum', async () => {
  const mean = await tile(four(), whole, alone);
  // rows 1; 1/2 1/2; 1/3 ×3; 1/4 ×4
  [(1 + 1 / 2 + 1 / 2) / 4, 0, (2 / 3 + 2 / 4) / 4, (1 / 3 + 1 / 4 + 1 / 4) / 4].forEach((expected, i) => {
    near(mean.weights.data[i] as number, expected);
  });
  const most = await tile(four(), { ...whole, pool: 'max' }, alone);
  [1, 0, 1 / 3, 1 / 3].forEach((expected, i) => {
    near(most.weights.data[i] as number, expected);
  });
});

test('tiles of every level show every weight that there is', async () => {
  const T = 700;
  const ids = Array.from({ length: T }, (_, i) => i);
  const made = pattern(T, (q, k) => (1 + Math.sin(q * 12.9898 + k * 78.233)) / (q + 1));
  const weight = (q: number, k: number) => made.data[q * T + k] as number;
  const view = constructedRun(ids, [attentionLayer({})], { 'blocks.0.attn.pattern': made });
  for (const [level, side] of [
    [0, 3],
    [1, 2],
    [2, 1],
  ] as const)
    for (const pool of ['max', 'mean'] as const)
      for (let row = 0; row < side; row++)
        for (let col = 0; col <= row; col++) {
          const found = await tile(view, { layer: 0, head: 0, count: T, level, row, col, pool }, alone);
          const [rows, cols] = found.weights.shape as [number, number];
          const values = found.weights.data;
          const size = 2 ** level;
          for (let r = 0; r < rows; r += 7)
            for (let c = 0; c < cols; c += 5) {
              const held: number[] = [];
              for (let q = found.queries[0] + r * size; q < Math.min(found.queries[0] + (r + 1) * size, found.queries[1]); q++)
                for (let k = found.keys[0] + c * size; k < Math.min(found.keys[0] + (c + 1) * size, found.keys[1]); k++)
                  held.push(weight(q, k));
              const expected = pool === 'max' ? Math.max(...held) : held.reduce((a, b) => a + b, 0) / held.length;
              near(values[r * cols + c] as number, expected, 1e-7);
            }
        }
  const code = (error: unknown) => error instanceof LabError && error.code === 'TILE_UNKNOWN';
  await assert.rejects(tile(view, { layer: 0, head: 0, count: T, level: 0, row: 3, col: 0, pool: 'max' }, alone), code);
});

test('a sketch says how many queries it looked at, and shows them as they are', async () => {
  const T = 300;
  const ids = Array.from({ length: T }, (_, i) => i);
  const view = constructedRun(ids, [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(T, previous) });
  const { sampled, weights } = await preview(view, { layer: 0, head: 0, count: T, pool: 'max' }, alone);
  assert.equal(sampled, 64);
  for (let row = 0; row < 64; row++) {
    const cells = weights.data.subarray(row * 150, (row + 1) * 150);
    const query = row === 63 ? T - 1 : Math.floor(((row + 0.5) * T) / 64);
    assert.equal(cells.indexOf(1), Math.floor((query - 1) / 2), `row ${row}`);
  }
  // the last cell holds one token, not two: its mean is of that one
  const odd = constructedRun(ids.slice(0, 299), [attentionLayer({})], {
    'blocks.0.attn.pattern': pattern(299, (q, k) => one(q === k)),
  });
  const means = await preview(odd, { layer: 0, head: 0, count: 299, pool: 'mean' }, alone);
  assert.deepEqual([...means.weights.data.subarray(-2)], [0, 1]);
  const short = await preview(four(), { layer: 0, head: 0, count: 4, pool: 'max' }, alone);
  assert.equal(short.sampled, null);
});

test('a column finds who reads a token, and edges who reads what most', async () => {
  const T = 40;
  const ids = Array.from({ length: T }, (_, i) => i);
  const reads = (q: number, k: number) =>
    q === 30 ? one(k === 7) : q === 20 ? (k === 7 ? 0.75 : k === 0 ? 0.25 : 0) : one(k === 0);
  const view = constructedRun(ids, [attentionLayer({ heads: 2, kvHeads: 1 })], {
    'blocks.0.attn.pattern': pattern(T, reads, uniform),
  });
  const { weights, top, received } = await column(view, { layer: 0, head: 0, key: 7, count: T }, alone);
  assert.deepEqual([weights.data.length, weights.data[20], weights.data[30], received], [T, 0.75, 1, 1.75]);
  assert.deepEqual(top, [
    { token: 30, weight: 1 },
    { token: 20, weight: 0.75 },
  ]);
  const found = await edges(view, { layer: 0, count: T, most: 3 }, alone);
  // the uniform head reads the first two tokens of the third row with a third each, of which one is the first token
  assert.deepEqual(
    found.edges.map(({ head, query, key }) => [head, query, key]),
    [
      [0, 30, 7],
      [0, 20, 7],
      [1, 2, 1],
    ],
  );
});

test('edges are the heaviest ones also where many are of one row', async () => {
  const T = 40;
  const ids = Array.from({ length: T }, (_, i) => i);
  const skewed = (q: number, k: number) => ((k % 7) + 1) / (q + 3);
  const weights = [uniform, skewed];
  const view = constructedRun(ids, [attentionLayer({ heads: 2, kvHeads: 1 })], {
    'blocks.0.attn.pattern': pattern(T, ...weights),
  });
  const all = weights.flatMap((weight) => ids.flatMap((q) => ids.slice(1, Math.max(1, q)).map((k) => Math.fround(weight(q, k)))));
  all.sort((a, b) => b - a);
  for (const most of [20, 100, 256]) {
    const found = await edges(view, { layer: 0, count: T, most }, alone);
    assert.deepEqual(
      found.edges.map(({ weight }) => weight),
      all.slice(0, most),
    );
    for (const { head, query, key, weight } of found.edges)
      assert.equal(weight, Math.fround(weights[head]?.(query, key) as number), `${head} ${query} ${key}`);
    assert.equal(new Set(found.edges.map(({ head, query, key }) => `${head}.${query}.${key}`)).size, most);
  }
});

test('a row lists its keys by weight', async () => {
  const view = constructedRun([1, 2, 3], [attentionLayer({})], {
    'blocks.0.attn.pattern': pattern(3, (q, k) => (q < 2 ? uniform(q) : ([0.25, 0.5, 0.25][k] as number))),
  });
  const { weights, entropy, top } = await row(view, { layer: 0, head: 0, query: 2 }, alone);
  assert.deepEqual([...weights.data], [0.25, 0.5, 0.25]);
  near(entropy, 1.5);
  assert.deepEqual(
    top.map(({ token }) => token),
    [1, 0, 2],
  );
});

test('the numbers of a cell make up its weight, and grouped heads share a key', async () => {
  const T = 3;
  const spec = { heads: 4, kvHeads: 2, headDim: 2, scale: 0.5, softcap: 3 };
  const q = tensor([4, T, 2], (h, t, e) => Math.sin(1 + h + 2 * t + 3 * e) * 3);
  const k = tensor([2, T, 2], (h, t, e) => Math.cos(2 + h + 5 * t + e) * 3);
  const score = (h: number, query: number, key: number) => {
    if (key > query) return Number.NEGATIVE_INFINITY;
    const g = h < 2 ? 0 : 1;
    const dot = [0, 1].reduce(
      (s, e) => s + (q.data[(h * T + query) * 2 + e] as number) * (k.data[(g * T + key) * 2 + e] as number),
      0,
    );
    return 3 * Math.tanh((dot * 0.5) / 3);
  };
  const scores = tensor([4, T, T], score);
  const weight = (h: number, query: number, key: number) =>
    Math.exp(score(h, query, key)) / [0, 1, 2].reduce((s, other) => s + Math.exp(score(h, query, other)), 0);
  const view = constructedRun([1, 2, 3], [attentionLayer(spec)], {
    'blocks.0.attn.q': q,
    'blocks.0.attn.rot_q': q,
    'blocks.0.attn.k': k,
    'blocks.0.attn.rot_k': k,
    'blocks.0.attn.scores': scores,
    'blocks.0.attn.pattern': tensor([4, T, T], weight),
  });
  for (const [head, query, key] of [
    [0, 2, 1],
    [1, 2, 2],
    [3, 1, 0],
  ] as const) {
    const found = await cell(view, { layer: 0, head, query, key }, alone);
    near(found.weight, weight(head, query, key));
    near(Math.exp(found.score - found.logSumExp), found.weight, 1e-5);
    near(found.score, score(head, query, key), 1e-5);
    near(
      found.products.data.reduce((sum, x) => sum + x, 0),
      found.dot,
      1e-5,
    );
    assert.deepEqual([...found.k.data], [...k.data.slice(((head < 2 ? 0 : 1) * T + key) * 2).subarray(0, 2)]);
    assert.equal(found.content, null);
    assert.equal(found.mask, 'visible');
  }
  const future = await cell(view, { layer: 0, head: 0, query: 0, key: 2 }, alone);
  assert.deepEqual([future.mask, future.weight], ['causal', 0]);
});

test('what is not there is refused with a code', async () => {
  await assert.rejects(row(four(), { layer: 3, head: 0, query: 0 }, alone), code('LAYER_UNKNOWN'));
  await assert.rejects(row(four(), { layer: 0, head: 1, query: 0 }, alone), code('HEAD_UNKNOWN'));
  await assert.rejects(row(four(), { layer: 0, head: 0, query: 4 }, alone), code('TOKEN_UNKNOWN'));
  const recurrent = constructedRun([1], [{ ...attentionLayer({}), mixer: 'mamba', attention: null }], {});
  await assert.rejects(thumbnails(recurrent, { layer: 0, count: 1, sample: false }, alone), code('LAYER_WITHOUT_ATTENTION'));
});
