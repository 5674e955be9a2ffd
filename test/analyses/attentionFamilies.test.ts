import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { column, edges } from '../../server/analyses/attentionSearch.js';
import { preview, tile } from '../../server/analyses/attentionTile.js';
import * as cache from '../../server/analyses/cache.js';
import { findEncoder } from '../../server/architectures/encoders.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { AttentionSpec } from '../../server/graph/blocks/attention.js';
import { createRunView } from '../../server/lab/runView.js';
import { TILE } from '../../server/protocol/attention.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { LayerView, RunView } from '../../server/runtime/view.js';
import { alone } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { constructedRun, freshMemo } from './constructed.js';

/** Every family that attends: what is read strip by strip equals the dense pattern of the same layer, whatever the layer does to its scores. */

/** More than a tile in each direction, and one. Neither is a multiple of a tile or of a block of queries, nor is what a shorter model can read. */
const LENGTHS = [301, 1];
const oddUpTo = (limit: number): number => limit - (limit % 2 === 0 ? 5 : 0);
const TOLERANCE = 1e-5;
const folders = ['oracles', 'oracles_more'].map((name) => path.resolve(import.meta.dirname, '../fixtures', name));
/** tiny-… and smollm2 are not fixtures of their own. */
const families: readonly string[] = folders.flatMap((folder) =>
  readdirSync(folder)
    .map((name) => path.join(folder, name))
    .filter((family) => readdirSync(family).some((file) => file === 'config.json')),
);

for (const family of families)
  test(`attention of ${path.basename(family)} in tiles, columns and edges`, async (t) => {
    const checkpoint = await openCheckpoint(family);
    if (findEncoder(checkpoint.config)) return t.skip('an encoder has no run');
    const device = new LocalDevice();
    const model = await Model.open(checkpoint, { device, threads: 1 });
    const attending = model.layers.filter(({ index }) => model.probes.includes(`blocks.${index}.attn.pattern`));
    if (attending.length === 0) t.skip('it has no pattern');
    for (const { index, attention, part } of attending) {
      // who reads in several ways says which of them is shown, and where the others are
      assert.equal(part !== undefined, attention?.selects === true);
      for (const [name] of part?.matchAll(/attn\.\w+\.pattern/g) ?? [])
        assert.ok(model.probes.includes(`blocks.${index}.${name}`), name);
    }
    const { vocab, limit } = model.bound.config;
    for (const length of attending.length > 0 ? LENGTHS : []) {
      const T = Math.min(length, oddUpTo(limit ?? length));
      const ids = Array.from({ length: T }, (_, i) => ((i * 7919) ^ (i >> 2)) % Math.min(vocab, 97));
      const engine = await Run.create(model);
      await engine.prefill(ids);
      const { id, recipe, model: info } = constructedRun(ids, [], {});
      const view = createRunView({ id, recipe, model: info, engine }, freshMemo());
      for (const { index } of [attending[0], attending.at(-1)].filter((layer) => layer !== undefined))
        await checkLayer(view, index);
    }
    await device.close();
  });

async function checkLayer(view: RunView, layer: number): Promise<void> {
  const { heads } = (view.layers[layer] as LayerView).attention as AttentionSpec;
  const name = `blocks.${layer}.attn.pattern`;
  const pattern = (await view.probes([name])).get(name) as Tensor;
  const T = view.ids.length;
  const weight = (head: number, query: number, key: number) => pattern.data[(head * T + query) * T + key] as number;
  for (const head of new Set([0, heads - 1])) {
    // a part before the whole is known, then all tiles
    await checkTile(view, { layer, head, level: 0, row: Math.floor((T - 1) / TILE), col: 0, pool: 'max' }, weight);
    for (let level = 0; level < 3; level++)
      for (let row = 0; row * TILE * 2 ** level < T; row++)
        for (let col = 0; col * TILE * 2 ** level < T; col++)
          for (const pool of ['max', 'mean'] as const) await checkTile(view, { layer, head, level, row, col, pool }, weight);
    const key = Math.floor(T / 3);
    const found = await column(view, { layer, head, key, count: T }, alone);
    for (let query = 0; query < T; query++) near(found.weights.data[query], weight(head, query, key), `column ${query}`);
    const sketch = await preview(view, { layer, head, count: T, pool: 'max' }, alone);
    near(
      Math.max(...sketch.weights.data.subarray(-(sketch.weights.shape[1] as number))),
      most(T, (k) => weight(head, T - 1, k)),
      'sketch',
    );
  }
  await checkOverview(view, layer, heads, weight);
}

type Weight = (head: number, query: number, key: number) => number;

const most = (n: number, value: (i: number) => number) =>
  Array.from({ length: n }, (_, i) => value(i)).reduce((a, b) => Math.max(a, b), 0);

async function checkTile(
  view: RunView,
  at: { layer: number; head: number; level: number; row: number; col: number; pool: 'max' | 'mean' },
  weight: Weight,
): Promise<void> {
  const { queries, keys, weights } = await tile(view, { ...at, count: view.ids.length }, alone);
  const size = 2 ** at.level;
  const [rows, cols] = weights.shape as [number, number];
  const values = weights.data;
  assert.deepEqual(
    [rows, cols],
    [queries, keys].map(([from, to]) => Math.ceil((to - from) / size)),
  );
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) {
      let [max, sum, count] = [0, 0, 0];
      for (let q = queries[0] + r * size; q < Math.min(queries[0] + (r + 1) * size, queries[1]); q++)
        for (let k = keys[0] + c * size; k < Math.min(keys[0] + (c + 1) * size, keys[1]); k++) {
          max = Math.max(max, weight(at.head, q, k));
          sum += weight(at.head, q, k);
          count++;
        }
      const expected = at.pool === 'max' ? max : sum / count;
      near(values[r * cols + c], expected, `${JSON.stringify(at)} ${r},${c}`);
    }
}

async function checkOverview(view: RunView, layer: number, heads: number, weight: Weight): Promise<void> {
  const T = view.ids.length;
  const { scores, thumbnails: pictures, pool } = await thumbnails(view, { layer, count: T, sample: false }, alone);
  const size = pictures.shape[1] as number;
  for (const [head, score] of (scores ?? []).entries()) {
    let [previous, sink, entropy, induction, copies] = [0, 0, 0, 0, 0];
    for (let q = 0; q < T; q++) {
      for (let k = 0; k < T; k++) entropy -= weight(head, q, k) > 0 ? weight(head, q, k) * Math.log2(weight(head, q, k)) : 0;
      const behind = Array.from({ length: Math.max(0, q - 1) }, (_, c) => c).filter((c) => view.ids[c] === view.ids[q]);
      if (behind.length > 0) copies++;
      for (const c of behind) induction += weight(head, q, c + 1);
      if (q > 0) [previous, sink] = [previous + weight(head, q, q - 1), sink + weight(head, q, 0)];
    }
    near(score.previous, previous / Math.max(1, T - 1), 'previous');
    near(score.sink, sink / Math.max(1, T - 1), 'sink');
    near(score.induction, induction / Math.max(1, copies), 'induction');
    near(score.entropy, entropy / T, 'entropy', 1e-4);
    for (let cell = 0; cell < size; cell += 3) {
      const rows = Array.from({ length: pool }, (_, i) => cell * pool + i).filter((q) => q < T);
      const max = most(rows.length, (i) => most(Math.min(pool, T), (k) => weight(head, rows[i] as number, k)));
      near((pictures.data[(head * size + cell) * size] as number) / 255, max, 'thumbnail', 0.5 / 255 + 1e-5);
    }
  }
  const { received } = await cache.received(view, { layer }, alone);
  const { window, chunk } = (view.layers[layer] as LayerView).attention as AttentionSpec;
  const readers = (key: number) => Math.min(T - 1 - key, (window ?? T) - 1, chunk === undefined ? T : chunk - 1 - (key % chunk));
  for (let key = 0; key < T; key += 37) {
    let sum = 0;
    for (let q = key + 1; q < T; q++) sum += weight(0, q, key);
    near(received.data[key], sum / Math.max(1, readers(key)), 'received');
  }
  const found = await edges(view, { layer, count: T, most: 40 }, alone);
  const all: number[] = [];
  for (let head = 0; head < heads; head++) for (let q = 1; q < T; q++) for (let k = 1; k < q; k++) all.push(weight(head, q, k));
  all.sort((a, b) => b - a);
  for (const [i, edge] of found.edges.entries()) {
    near(edge.weight, all[i] as number, `edge ${i}`);
    near(edge.weight, weight(edge.head, edge.query, edge.key), `edge ${i} at its place`);
    assert.ok(edge.key > 0 && edge.key < edge.query);
  }
}

function near(actual: number | undefined, expected: number, what: string, tolerance = TOLERANCE): void {
  if (Math.abs((actual as number) - expected) <= tolerance) return;
  assert.fail(`${what}: ${actual} instead of ${expected}`);
}
