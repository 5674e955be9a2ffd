import assert from 'node:assert/strict';
import { test } from 'node:test';
import { map, overview, received, slice } from '../../server/analyses/cache.js';
import { LabError } from '../../server/protocol/errors.js';
import type { CachedRow } from '../../server/protocol/inspect.js';
import { alone } from '../../server/runtime/view.js';
import { attentionLayer, constructedRun, pattern, tensor } from './constructed.js';

const ids = [1, 2, 3, 4, 5];
const full = attentionLayer({ heads: 4, kvHeads: 2, headDim: 8 });
const sliding = { ...attentionLayer({ heads: 4, kvHeads: 2, headDim: 8, window: 3 }), index: 1 };

test('bytes by layer: a window keeps one fewer than it sees, and a full one grows no more', async () => {
  const { layers, bytes, bytesPerToken, capacityBytes } = await overview(constructedRun(ids, [full, sliding], {}), {}, alone);
  const perToken = 2 * 2 * 8 * 4;
  assert.deepEqual(
    layers.map(({ kept, first, bytes: size }) => [kept, first, size]),
    [
      [5, 0, 5 * perToken],
      [2, 3, 2 * perToken],
    ],
  );
  assert.equal(bytes, 7 * perToken);
  assert.equal(bytesPerToken, perToken);
  assert.equal(capacityBytes, 8192);
});

test('norms per KV head and kept position', async () => {
  const view = constructedRun(ids, [full], {
    'blocks.0.state.k': tensor([2, 5, 8], (h, t, e) => (e < 2 ? (h + 1) * (t + 1) : 0)),
  });
  const { norms, first } = await map(view, { layer: 0, state: 'k' }, alone);
  assert.deepEqual(norms.shape, [2, 5]);
  assert.equal(first, 0);
  for (let h = 0; h < 2; h++)
    for (let t = 0; t < 5; t++) assert.ok(Math.abs((norms.data[h * 5 + t] as number) - Math.SQRT2 * (h + 1) * (t + 1)) < 1e-5);
});

test('a run that grows while its cache is read is shown as it was', async () => {
  const growing = [...ids];
  const view = constructedRun(growing, [sliding], { 'blocks.0.state.k': tensor([2, 2, 8], () => 1) });
  const slow: typeof view = {
    ...view,
    probes: async (names, options) => {
      assert.deepEqual(options?.range, { from: 0, to: 5 });
      growing.push(6, 7);
      return view.probes(names, options);
    },
  };
  assert.equal((await map(slow, { layer: 0, state: 'k' }, alone)).first, 3);
});

test('received attention is a mean over the queries that can see the position', async () => {
  const uniform = (q: number) => 1 / (q + 1);
  const view = constructedRun(ids, [attentionLayer({})], { 'blocks.0.attn.pattern': pattern(5, uniform) });
  const { received: all } = await received(view, { layer: 0 }, alone);
  [(1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 4, (1 / 3 + 1 / 4 + 1 / 5) / 3, (1 / 4 + 1 / 5) / 2, 1 / 5, 0].forEach((expected, i) => {
    assert.ok(Math.abs((all.data[i] as number) - expected) < 1e-6);
  });
  const near = constructedRun(ids, [attentionLayer({ window: 2 })], {
    'blocks.0.attn.pattern': pattern(5, (q, k) => (q - k < 2 ? (q === 0 ? 1 : 0.5) : 0)),
  });
  assert.deepEqual([...(await received(near, { layer: 0 }, alone)).received.data], [0.5, 0.5, 0.5, 0.5, 0]);
});

test('a slice is what the cache holds for a token, and says so when it holds nothing', async () => {
  const rows = (sign: number) => tensor([2, 2, 8], (h, t, e) => sign * (100 * h + 10 * t + e));
  const view = constructedRun(ids, [full, sliding], { 'blocks.1.state.k': rows(1), 'blocks.1.state.v': rows(-1) });
  const [k, v] = (await slice(view, { layer: 1, kvHead: 1, token: 4 }, alone)).rows as [CachedRow, CachedRow];
  assert.deepEqual([k.name, ...k.values.data], ['k', 110, 111, 112, 113, 114, 115, 116, 117]);
  assert.deepEqual([v.name, ...v.values.data.slice(0, 2)], ['v', -110, -111]);
  assert.equal(k.rope, null);
  await assert.rejects(
    slice(view, { layer: 1, kvHead: 1, token: 2 }, alone),
    (error) => error instanceof LabError && error.code === 'CACHE_EVICTED' && /holds tokens 3 to 4/.test(error.message),
  );
});
