import assert from 'node:assert/strict';
import { test } from 'node:test';
import { map } from '../../server/analyses/attentionMap.js';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { cell, row } from '../../server/analyses/attentionRow.js';
import { LabError } from '../../server/protocol/errors.js';
import type { RunView } from '../../server/runtime/view.js';
import { attentionLayer, constructedRun, pattern, quiet, tensor } from './constructed.js';

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
  const { scores, heads, kvHeads } = await thumbnails(view, { layer: 0, size: 8 }, quiet);
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
  const { scores } = await thumbnails(view, { layer: 0, size: 4 }, quiet);
  near(scores[0]?.induction as number, 0);
});

test('thumbnails keep the largest weight of each cell, and enlarge short runs', async () => {
  const T = 6;
  const view = constructedRun([1, 2, 3, 4, 5, 6], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(T, previous) });
  const small = await thumbnails(view, { layer: 0, size: 3 }, quiet);
  assert.deepEqual([...small.thumbnails.data], [255, 0, 0, 255, 255, 0, 0, 255, 255]);
  const one = constructedRun([1], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(1, () => 1) });
  assert.deepEqual([...(await thumbnails(one, { layer: 0, size: 2 }, quiet)).thumbnails.data], [255, 255, 255, 255]);
});

const tile = { layer: 0, head: 0, queries: [0, 4], keys: [0, 4], rows: 2, cols: 2, pool: 'mean' } as const;
const four = () => constructedRun([1, 2, 3, 4], [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(4, uniform) });

test('a map pools by mean or by maximum', async () => {
  const mean = await map(four(), tile, quiet);
  // rows 1; 1/2 1/2; 1/3 ×3; 1/4 ×4
  [(1 + 1 / 2 + 1 / 2) / 4, 0, (2 / 3 + 2 / 4) / 4, (1 / 3 + 1 / 4 + 1 / 4) / 4].forEach((expected, i) => {
    near(mean.weights.data[i] as number, expected);
  });
  const most = await map(four(), { ...tile, pool: 'max' }, quiet);
  [1, 0, 1 / 3, 1 / 3].forEach((expected, i) => {
    near(most.weights.data[i] as number, expected);
  });
  assert.equal(most.max, 1);
});

test('a map of a part at full resolution is that part', async () => {
  const part = await map(four(), { ...tile, queries: [2, 4], keys: [1, 4], rows: 2, cols: 3 }, quiet);
  [1 / 3, 1 / 3, 0, 1 / 4, 1 / 4, 1 / 4].forEach((expected, i) => {
    near(part.weights.data[i] as number, expected);
  });
});

test('a map does not care in how many bands it was read', async () => {
  const T = 96;
  const heads = 3000; // 64 MB hold 32 rows at once
  const values = new Float32Array(heads * T * T);
  for (let q = 0; q < T; q++) for (let k = 0; k <= q; k++) values[(2999 * T + q) * T + k] = 1 / (q + 1);
  const asked: (number | undefined)[] = [];
  const view = constructedRun(
    Array.from({ length: T }, (_, i) => i),
    [attentionLayer({ heads, kvHeads: heads })],
    { 'blocks.0.attn.pattern': { shape: [heads, T, T], data: values } },
  );
  const watched: RunView = {
    ...view,
    probes: (names, options) => {
      asked.push(options?.range?.from);
      return view.probes(names, options);
    },
  };
  const found = await map(
    watched,
    { layer: 0, head: 2999, queries: [40, T], keys: [0, T], rows: T - 40, cols: T, pool: 'max' },
    quiet,
  );
  assert.deepEqual(asked, [32, 64]);
  for (let q = 40; q < T; q++)
    for (let k = 0; k < T; k++) near(found.weights.data[(q - 40) * T + k] as number, k <= q ? 1 / (q + 1) : 0);
});

test('a row lists its keys by weight', async () => {
  const view = constructedRun([1, 2, 3], [attentionLayer({})], {
    'blocks.0.attn.pattern': pattern(3, (q, k) => (q < 2 ? uniform(q) : ([0.25, 0.5, 0.25][k] as number))),
  });
  const { weights, entropy, top } = await row(view, { layer: 0, head: 0, query: 2 }, quiet);
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
    const found = await cell(view, { layer: 0, head, query, key }, quiet);
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
  const future = await cell(view, { layer: 0, head: 0, query: 0, key: 2 }, quiet);
  assert.deepEqual([future.mask, future.weight], ['causal', 0]);
});

test('what is not there is refused with a code', async () => {
  const code = (expected: string) => (error: unknown) => error instanceof LabError && error.code === expected;
  await assert.rejects(row(four(), { layer: 3, head: 0, query: 0 }, quiet), code('LAYER_UNKNOWN'));
  await assert.rejects(row(four(), { layer: 0, head: 1, query: 0 }, quiet), code('HEAD_UNKNOWN'));
  await assert.rejects(row(four(), { layer: 0, head: 0, query: 4 }, quiet), code('TOKEN_UNKNOWN'));
  const recurrent = constructedRun([1], [{ ...attentionLayer({}), mixer: 'mamba', attention: null }], {});
  await assert.rejects(thumbnails(recurrent, { layer: 0, size: 8 }, quiet), code('LAYER_WITHOUT_ATTENTION'));
});
