import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { cell, row } from '../../server/analyses/attentionRow.js';
import { tile } from '../../server/analyses/attentionTile.js';
import * as cache from '../../server/analyses/cache.js';
import * as state from '../../server/analyses/state.js';
import { series } from '../../server/analyses/stateSeries.js';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { createRunView } from '../../server/lab/runView.js';
import type { WireTensor } from '../../server/protocol/tensors.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { RunView } from '../../server/runtime/view.js';
import { alone } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { fixtures, readOracle } from '../parity/oracle.js';
import { constructedRun, freshMemo } from './constructed.js';

/** What a picture shows against the references of the same weights and ids. */

const near = (actual: number | undefined, expected: number | undefined, what: string, tolerance = 1e-4) => {
  const [a, b] = [actual as number, expected as number];
  assert.ok(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)), `${what}: ${a} instead of ${b}`);
};

interface Opened {
  readonly view: RunView;
  readonly oracle: Map<string, Tensor>;
  readonly T: number;
}

let device: LocalDevice;
before(() => {
  device = new LocalDevice();
});
after(() => device.close());

async function opened(family: string): Promise<Opened> {
  const oracle = await readOracle(family);
  const ids = [...(oracle.get('input_ids') as Tensor).data];
  const model = await Model.open(await openCheckpoint(path.join(fixtures, family, family.includes('pth') ? 'model.pth' : '')), {
    device,
    threads: 1,
  });
  const engine = await Run.create(model);
  await engine.prefill(ids);
  const { id, recipe, model: info } = constructedRun(ids, [], {});
  return { view: createRunView({ id, recipe, model: info, engine }, freshMemo(1 << 24)), oracle, T: ids.length };
}

const at = (tensor: Tensor | undefined, ...index: number[]): number => {
  const { shape, data } = tensor as Tensor;
  return data[index.reduce((flat, i, axis) => flat * (shape[axis] as number) + i, 0)] as number;
};

for (const family of [
  'llama',
  'gpt2',
  'mistral',
  'gemma3_text',
  'llama_yarn',
  'qwen3',
  'gemma2',
  'glm',
  'gpt_oss',
  'deepseek_v2',
  'deepseek_v3',
  'megalodon',
  '../oracles_more/megalodon_odd',
])
  test(`attention pictures of ${path.basename(family)}`, async () => {
    const { view, oracle, T } = await opened(family);
    for (const { index: layer, attention } of view.layers) {
      const pattern = oracle.get(`attn.${layer}`) ?? oracle.get(`layer.${layer}.attn`);
      const heads = attention?.heads as number;
      for (let head = 0; head < heads; head++) {
        const whole = { layer, head, count: T, level: 0, row: 0, col: 0, pool: 'max' } as const;
        const { weights } = await tile(view, whole, alone);
        for (const query of [0, 1, 9, T - 1]) {
          const { weights: read } = await row(view, { layer, head, query }, alone);
          for (let key = 0; key <= query; key++) {
            near(at(weights as WireTensor, query, key), at(pattern, head, query, key), `map ${layer}.${head} ${query} ${key}`);
            near(read.data[key], at(pattern, head, query, key), `row ${layer}.${head} ${query} ${key}`);
          }
        }
        for (const [query, key] of [
          [T - 1, T - 2],
          [T - 1, 2],
          [5, 5],
          [2, 9],
        ] as const)
          await checkCell(view, { layer, head, query, key }, at(pattern, head, query, key));
      }
      const { scores } = await thumbnails(view, { layer, count: T, sample: false }, alone);
      for (const [head, score] of (scores ?? []).entries()) {
        const later = Array.from({ length: T - 1 }, (_, i) => i + 1);
        const mean = (value: (query: number) => number) => later.reduce((sum, q) => sum + value(q), 0) / later.length;
        near(
          score.previous,
          mean((q) => at(pattern, head, q, q - 1)),
          `previous ${layer}.${head}`,
        );
        near(
          score.sink,
          mean((q) => at(pattern, head, q, 0)),
          `sink ${layer}.${head}`,
        );
      }
      const { received } = await cache.received(view, { layer }, alone);
      const seen = Math.min((attention?.chunk ?? T) - 1 - 3, (attention?.window ?? T) - 1);
      const sum = Array.from({ length: T - 4 }, (_, i) => at(pattern, 0, i + 4, 3)).reduce((a, b) => a + b, 0);
      near(at(received, 0, 3), sum / seen, `received ${layer}`);
    }
  });

/** Every number of a cell follows from the ones before it, and the last is the reference's weight. */
async function checkCell(
  view: RunView,
  place: { readonly layer: number; readonly head: number; readonly query: number; readonly key: number },
  expected: number,
): Promise<void> {
  const what = JSON.stringify(place);
  const spec = view.layers[place.layer]?.attention;
  const found = await cell(view, place, alone);
  near(found.weight, expected, what);
  const product = found.q.data.reduce((sum, q, e) => sum + q * (found.k.data[e] as number), 0);
  near(found.dot, product, what);
  const scaled = found.dot * found.scale;
  near(found.score, found.softcap === null ? scaled : found.softcap * Math.tanh(scaled / found.softcap), what);
  const { query, key } = place;
  const earlier = spec?.chunk !== undefined && Math.floor(key / spec.chunk) < Math.floor(query / spec.chunk) ? 'chunk' : null;
  const mask = key > query ? 'causal' : (earlier ?? (spec?.window && query - key >= spec.window ? 'window' : 'visible'));
  assert.equal(found.mask, mask, what);
  near(mask === 'visible' ? Math.exp(found.score - found.logSumExp) : 0, expected, what);
  assert.equal(found.content === null, spec?.rope === null, what);
  // at the same position both turn alike, so that position adds nothing
  if (query === key && spec?.rope?.amplitude === 1) near(found.content as number, found.dot, what);
}

for (const family of ['llama', 'gpt2', 'mistral', 'gemma3_text', 'deepseek_v3'])
  test(`cache pictures of ${family}`, async () => {
    const { view, oracle, T } = await opened(family);
    const { layers, capacityBytes, bytes } = await cache.overview(view, {}, alone);
    assert.ok(capacityBytes >= bytes);
    for (const { layer, first, kept, kvHeads, rows, bytes: size } of layers) {
      const k = oracle.get(`kv.${layer}.k`) as Tensor;
      const v = oracle.get(`kv.${layer}.v`) as Tensor;
      assert.deepEqual(
        [k.shape, v.shape],
        rows.map((row) => [kvHeads, kept, row.size]),
      );
      assert.equal(first, T - kept);
      assert.equal(size, 4 * (k.data.length + v.data.length));
      const { norms } = await cache.map(view, { layer, state: (rows[0] as { name: string }).name }, alone);
      const slice = await cache.slice(view, { layer, kvHead: kvHeads - 1, token: T - 3 }, alone);
      const [key, value] = slice.rows.map((row) => row.values) as [WireTensor, WireTensor];
      for (const [e, x] of key.data.entries()) near(x, at(k, kvHeads - 1, kept - 3, e), `k ${layer} ${e}`);
      for (const [e, x] of value.data.entries()) near(x, at(v, kvHeads - 1, kept - 3, e), `v ${layer} ${e}`);
      near(at(norms, kvHeads - 1, kept - 3), Math.hypot(...key.data), `norm ${layer}`);
    }
  });

for (const [family, name, key, transposed] of [
  ['mamba', 'ssm', 'ssm', false],
  ['mamba', 'conv', 'conv', false],
  ['mamba2', 'ssm', 'ssm', false],
  ['rwkv7', 'wkv', 'recurrent_state', true],
  ['rwkv7', 'att_shift', 'attention_shift', false],
  ['rwkv4', 'num', 'num', false],
  ['jamba', 'ssm', 'ssm', false],
  ['falcon_h1', 'ssm', 'ssm', false],
  ['qwen3_next', 'ssm', 'ssm', false],
  ['recurrent_gemma', 'rglru', 'rglru', false],
  ['recurrent_gemma', 'conv', 'conv', false],
  ['rwkv4', 'den', 'den', false],
  ['rwkv4', 'max', 'max', false],
  ['rwkv_pth_v5', 'wkv', 'list', true],
  ['rwkv_pth_v6', 'wkv', 'list', true],
  ['megalodon', 'cema', 'cema_t', false],
  ['megalodon', 'tsn_mean', 'tsn_mean_t', false],
  ['megalodon', 'tsn_var', 'tsn_var_t', false],
  ['../oracles_more/megalodon_odd', 'cema', 'cema_t', false],
] as const)
  test(`state pictures of ${path.basename(family)} ${name}`, async () => {
    const { view, oracle, T } = await opened(family);
    const { layers } = await state.overview(view, {}, alone);
    for (const { layer, states } of layers) {
      const layout = states.find((s) => s.name === name);
      const names = [`statet_list.${3 * layer + 1}`, `statet.${layer}.${key}`, `layer.${layer}.${key}`];
      const expected = names.map((each) => oracle.get(each)).find((found) => found) as Tensor;
      const size = expected.data.length / T;
      const { rows, cols, groups } = layout as NonNullable<typeof layout>;
      assert.equal(groups * rows * cols, size);
      for (let group = 0; group < groups; group++) {
        const part = (token: number, i: number) => {
          const [r, c] = [Math.floor(i / cols), i % cols];
          const inside = transposed ? c * rows + r : i;
          return token < 0 ? 0 : (expected.data[token * size + group * rows * cols + inside] as number);
        };
        const { norm } = await series(view, { layer, state: name, group }, alone);
        for (const token of [0, 1, 13, T - 1]) {
          const step = await state.step(view, { layer, state: name, group, token, against: 4 }, alone);
          const what = `${layer} ${group} ${token}`;
          let square = 0;
          for (let i = 0; i < rows * cols; i++) {
            near(step.after.data[i], part(token, i), `after ${what}`);
            near(step.before.data[i], part(token - 1, i), `before ${what}`);
            near(step.diff?.data[i], part(token, i) - part(4, i), `diff ${what}`);
            square += part(token, i) ** 2;
            if (!step.decay) continue;
            const kept = at(step.decay, Math.floor(i / cols), i % cols) * (step.before.data[i] as number);
            const sum = kept - (step.removal?.data[i] ?? 0) + (step.write?.data[i] as number);
            near(sum, part(token, i), `terms ${what}`);
          }
          near(step.norm, Math.sqrt(square), `norm ${what}`);
          near(norm.data[token], Math.sqrt(square), `series ${what}`);
          if (!step.identity) continue;
          assert.ok(step.identity.magnitude > 0, what);
          assert.ok(step.identity.error <= 1e-5 * step.identity.magnitude, `${what}: ${step.identity.error}`);
        }
      }
    }
  });

test('cache pictures of a chunk: only its own rows are kept, and none where it ends', async () => {
  const { view, oracle } = await opened('../oracles_more/megalodon_odd'); // chunks of 7
  const T = view.ids.length;
  const { layers } = await cache.overview(view, {}, alone);
  for (const { layer, kept, first, rows, chunk, bytes } of layers) {
    assert.deepEqual([kept, first, chunk, bytes], [T % 7, T - (T % 7), 7, 4 * (T % 7) * 3 * (6 + 14)]);
    const k = oracle.get(`layer.${layer}.k`) as Tensor;
    assert.deepEqual(rows, [
      { name: 'k', size: 6 },
      { name: 'v', size: 14 },
    ]);
    const slice = await cache.slice(view, { layer, kvHead: 2, token: first }, alone);
    for (const [e, x] of (slice.rows[0]?.values.data ?? []).entries()) near(x, at(k, 2, first, e), `k ${layer} ${e}`);
    await assert.rejects(cache.slice(view, { layer, kvHead: 0, token: first - 1 }, alone), { code: 'CACHE_EVICTED' });
  }
  const whole = { ...view, ids: view.ids.slice(0, 28) };
  assert.deepEqual(
    (await cache.overview(whole, {}, alone)).layers.map(({ kept }) => kept),
    [0, 0, 0],
  );
  const { norms } = await cache.map(whole, { layer: 0, state: 'k' }, alone);
  assert.deepEqual(norms.shape, [3, 0]);
});

test('a run longer than a snapshot gives the same states read in pieces as read at once', async () => {
  for (const [family, name] of [
    ['mamba', 'ssm'],
    ['rwkv7', 'wkv'],
  ] as const) {
    const { view, oracle } = await opened(family);
    const short = [...(oracle.get('input_ids') as Tensor).data];
    const ids = Array.from({ length: 300 }, (_, i) => short[i % short.length] as number);
    const model = await Model.open(await openCheckpoint(path.join(fixtures, family)), { device, threads: 1 });
    const engine = await Run.create(model);
    await engine.prefill(ids);
    const long = createRunView({ ...view, id: 'long', engine }, freshMemo(0));
    const every = (await long.probes([`blocks.1.state.${name}`])).get(`blocks.1.state.${name}`) as Tensor;
    const stride = every.data.length / 300;
    for (const token of [255, 256, 299]) {
      const step = await state.step(long, { layer: 1, state: name, group: 0, token, against: null }, alone);
      for (let i = 0; i < step.after.data.length; i++)
        near(step.after.data[i], every.data[token * stride + i], `${family} ${token}`, 1e-5);
    }
  }
});

for (const [family, name] of [
  ['xlstm', 'C'],
  ['xlstm', 'n'],
  ['zamba2', 'ssm'],
] as const)
  test(`what ${family} keeps, loses and writes to ${name} adds up, and its output reads it`, async () => {
    const { view, T } = await opened(family);
    for (const { layer, states } of (await state.overview(view, {}, alone)).layers) {
      const { groups = 0 } = states.find((s) => s.name === name) ?? {};
      for (let group = 0; group < groups; group++)
        for (const token of [0, 13, T - 1]) {
          const step = await state.step(view, { layer, state: name, group, token, against: null }, alone);
          const [decay, write] = [step.decay?.data ?? [], step.write?.data ?? []];
          for (const [i, after] of step.after.data.entries())
            near(
              (decay[i] as number) * (step.before.data[i] as number) + (write[i] as number),
              after,
              `${layer} ${group} ${token}`,
              1e-5,
            );
          if (step.identity) assert.ok(step.identity.error <= 1e-5 * step.identity.magnitude, `${step.identity.error}`);
        }
    }
  });

/** States that learn while they read: what begins them is in the checkpoint, and what happens to them is in the reference. */
for (const family of ['ttt_linear', 'ttt_mlp', '../oracles_more/ttt_linear_odd', '../oracles_more/ttt_mlp_odd'])
  test(`fast weights of ${path.basename(family)} are the reference's, their terms add up, and their output reads them`, async () => {
    const { view, oracle, T } = await opened(family);
    const weights = await openCheckpoint(path.resolve(fixtures, family, 'model.safetensors'));
    for (const [tensor, name] of [
      ['W1', 'fast_weights'],
      ['b1', 'fast_bias'],
      ['W2', 'fast_weights_2'],
      ['b2', 'fast_bias_2'],
    ] as const) {
      const every = oracle.get(`layer.1.${tensor}_t`);
      if (!every) continue;
      const entry = weights.tensors.get(`layers.1.mixer.${tensor}`) as TensorEntry;
      const initial = await readTensor(weights, entry);
      const { groups = 0 } = (await state.overview(view, {}, alone)).layers[1]?.states.find((s) => s.name === name) ?? {};
      const size = every.data.length / T / groups;
      for (let group = 0; group < groups; group++)
        for (const token of [0, 1, 6, 7, 8, T - 1]) {
          const step = await state.step(view, { layer: 1, state: name, group, token, against: null }, alone);
          const part = (t: number, i: number) =>
            t < 0 ? initial[group * size + i] : every.data[(t * groups + group) * size + i];
          for (let i = 0; i < size; i++) {
            near(step.after.data[i], part(token, i), `${name} ${group} after ${token}`);
            near(step.before.data[i], part(token - 1, i), `${name} ${group} before ${token}`);
            const [before, removal, write] = [step.before, step.removal, step.write].map((t) => t?.data[i] as number);
            near(
              (before as number) - (removal as number) + (write as number),
              step.after.data[i],
              `${name} ${group} terms ${token}`,
              1e-5,
            );
          }
          if (tensor.startsWith('W')) assert.ok(step.identity && step.identity.error <= 1e-5 * (1 + step.identity.magnitude));
          const sum = name.replace('fast', 'grad');
          const gradient = await state.step(view, { layer: 1, state: sum, group, token, against: null }, alone);
          for (const [i, after] of gradient.after.data.entries()) {
            const [decay, before, write] = [gradient.decay, gradient.before, gradient.write].map((t) => t?.data[i] as number);
            near((decay as number) * (before as number) + (write as number), after, `${sum} ${group} ${token}`, 1e-5);
          }
        }
    }
  });

test('NSA: pictures of attention are those of the selected blocks, and each cache has rows of its own', async () => {
  const { view, oracle, T } = await opened('../oracles_more/nsa_odd'); // blocks of 5 every 3, window of 5
  const pattern = oracle.get('layer.1.attn_slc');
  for (const query of [0, 9, T - 1]) {
    const { weights } = await row(view, { layer: 1, head: 4, query }, alone);
    for (let key = 0; key <= query; key++) near(weights.data[key], at(pattern, 4, query, key), `row ${query} ${key}`);
  }
  const closed = await cell(
    view,
    { layer: 1, head: 4, query: T - 1, key: [...Array(T).keys()].find((key) => at(pattern, 4, T - 1, key) === 0) ?? 0 },
    alone,
  );
  assert.deepEqual([closed.mask, closed.weight], ['unselected', 0]);
  const blocks = Math.floor((T - 5) / 3) + 1;
  const { layers } = await cache.overview(view, {}, alone);
  assert.equal(layers[1]?.bytes, 4 * 3 * 10 * 2 * (T + 4 + blocks));
  const slice = await cache.slice(view, { layer: 1, kvHead: 2, token: 7 }, alone);
  assert.deepEqual(
    slice.rows.map(({ name }) => name),
    ['k_slc', 'v_slc', 'k_cmp', 'v_cmp'],
  );
  const values = (name: string) => slice.rows.find((found) => found.name === name)?.values.data ?? [];
  for (const [e, x] of [...values('k_slc')].entries()) near(x, at(oracle.get('layer.1.k_slc'), 2, 7, e), `k_slc ${e}`);
  for (const [e, x] of [...values('k_cmp')].entries()) near(x, at(oracle.get('layer.1.k_cmp'), 2, 2, e), `k_cmp ${e}`);
  const { first, norms } = await cache.map(view, { layer: 1, state: 'k_win' }, alone);
  assert.deepEqual([first, norms.shape], [T - 4, [3, 4]]);
});
