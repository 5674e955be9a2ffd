import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { overview, step } from '../../server/analyses/state.js';
import { ranks, series } from '../../server/analyses/stateSeries.js';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { createRunView } from '../../server/lab/runView.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { alone } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { fixtures, readOracle } from '../parity/oracle.js';
import { constructedRun, freshMemo } from './constructed.js';

/** Trained states: their norms after every token are the reference's; effective ranks are numpy's (linalg.svd) of its last states. */
const models = [
  {
    name: 'tiny-rwkv7',
    state: 'wkv',
    key: 'recurrent_state',
    ranks: [
      [0, [7.468371, 5.598856, 5.069698]],
      [2, [5.238652, 5.053337, 4.606246]],
      [4, [6.481365, 4.145585, 2.432194]],
    ],
  },
  {
    name: 'tiny-mamba',
    state: 'ssm',
    key: 'ssm',
    ranks: [
      [0, [1.430069, 1.539018, 1.614652, 1.612225, 1.678184, 1.478267]],
      [3, [4.578519, 4.448603, 4.664358, 4.403702, 3.734866, 4.310663]],
      [7, [3.000801, 2.338732, 2.149965, 2.881752, 2.483443, 2.45941]],
    ],
  },
] as const;

const near = (actual: number | undefined, expected: number, what: string, tolerance = 1e-4) =>
  assert.ok(Math.abs((actual as number) - expected) <= tolerance * (1 + expected), `${what}: ${actual} instead of ${expected}`);

let device: LocalDevice;
before(() => {
  device = new LocalDevice();
});
after(() => device.close());

for (const { name, state, key, ranks: reference } of models)
  test(`norms and ranks of ${name}`, async () => {
    const oracle = await readOracle(name);
    const ids = [...(oracle.get('input_ids') as Tensor).data];
    const folder = path.resolve(import.meta.dirname, '../../media/models', name);
    const engine = await Run.create(await Model.open(await openCheckpoint(folder), { device, threads: 1 }));
    await engine.prefill(ids);
    const { id, recipe, model } = constructedRun(ids, [], {});
    const view = createRunView({ id, recipe, model, engine }, freshMemo(1 << 26));
    for (const [layer, expected] of reference) {
      const norms = oracle.get(`statet_norm.${layer}.${key}`) as Tensor;
      const [T, parts] = norms.shape as [number, number];
      const each = parts / expected.length;
      for (const [group, rank] of expected.entries()) {
        const found = await series(view, { layer, state, group }, alone);
        for (let t = 0; t < T; t++) {
          const squares = norms.data.slice(t * parts + group * each, t * parts + (group + 1) * each).map((n) => n * n);
          near(found.norm.data[t], Math.sqrt(squares.reduce((a, b) => a + b, 0)), `${name} ${layer}.${group} norm at ${t}`);
        }
        const effective = await ranks(view, { layer, state, group }, alone);
        near(effective.rank.data[T - 1], rank, `${name} ${layer}.${group} rank`);
        const { identity } = await step(view, { layer, state, group, token: T - 1, against: null }, alone);
        assert.ok(identity && identity.magnitude > 0 && identity.error <= 1e-5 * identity.magnitude);
      }
    }
  });

test('rows of NSA that wait for the end of their block are those of its weights and the reference’s residual stream', async () => {
  const oracle = await readOracle('nsa');
  const at = path.resolve(fixtures, 'nsa');
  const checkpoint = await openCheckpoint(at);
  const engine = await Run.create(await Model.open(checkpoint, { device, threads: 1 }));
  const ids = [...(oracle.get('input_ids') as Tensor).data];
  await engine.prefill(ids);
  const { id, recipe, model } = constructedRun(ids, [], {});
  const view = createRunView({ id, recipe, model, engine }, freshMemo(1 << 26));
  const { layers } = await overview(view, {}, alone);
  assert.deepEqual(
    layers.map(({ layer, mixer, states }) => [layer, mixer, ...states.map(({ name }) => name)]),
    [0, 1].map((layer) => [layer, 'attention', 'conv_k', 'conv_v']),
  );
  const [gains, weight] = await Promise.all(
    ['norm1.weight', 'mixer.k_cmp.weight'].map((name) =>
      readTensor(checkpoint, checkpoint.tensors.get(`layers.0.${name}`) as TensorEntry),
    ),
  );
  const { shape, data } = oracle.get('hidden.0') as Tensor;
  const D = shape[1] as number;
  const key = (channel: number, t: number): number => {
    const x = data.slice(t * D, (t + 1) * D);
    const rms = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / D + 1e-6);
    return x.reduce((sum, v, d) => sum + (v / rms) * (gains?.[d] as number) * (weight?.[channel * D + d] as number), 0);
  };
  const { after, update } = await step(view, { layer: 0, state: 'conv_k', group: 0, token: 11, against: null }, alone);
  assert.match(update, /^window_t = /);
  assert.deepEqual(after.shape, [16, 4]);
  after.data.forEach((value, i) => {
    const expected = key(Math.floor(i / 4), 11 - 3 + (i % 4));
    assert.ok(Math.abs(value - expected) <= 1e-4 * (1 + Math.abs(expected)), `${i}: ${value} instead of ${expected}`);
  });
});
