import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overview, step } from '../../server/analyses/state.js';
import { ranks, series } from '../../server/analyses/stateSeries.js';
import { LabError } from '../../server/protocol/errors.js';
import type { LayerView } from '../../server/runtime/view.js';
import { alone } from '../../server/runtime/view.js';
import { code } from '../code.js';
import { constructedRun, tensor } from './constructed.js';

const near = (actual: number | undefined, expected: number, tolerance = 1e-5) =>
  assert.ok(Math.abs((actual as number) - expected) <= tolerance, `${actual} instead of ${expected}`);

const d = 70;
const N = 2;
const T = 300;
const matrix = (name: string, shape: number[]) =>
  ({ name, kind: 'matrix', shape, bytesFixed: 4 * shape.reduce((a, b) => a * b), bytesPerToken: 0, keeps: null }) as const;
const shared = { index: 0, kvHeads: 1, window: null, attention: null } as const;
const mambaLayer: LayerView = {
  ...shared,
  mixer: 'mamba',
  heads: 1,
  headDim: d,
  state: [{ ...matrix('conv', [d, 4]), kind: 'conv' }, matrix('ssm', [d, N])],
};

/** Every channel halves its state at each token and adds 1: h_t = 2 (1 − 2^{−t−1}). */
function halving() {
  const h = (t: number) => 2 - 2 ** -t;
  return constructedRun(
    Array.from({ length: T }, () => 1),
    [mambaLayer],
    {
      'blocks.0.state.ssm': tensor([T, d, N], (t) => h(t)),
      'blocks.0.state.conv': tensor([T, d, 4], (t, c, j) => t + j + c),
      'blocks.0.mixer.decay': tensor([T, d, N], (_, c, n) => (c === 3 ? (n === 0 ? 0.5 : 1) : 0.5)),
      'blocks.0.mixer.write': tensor([T, d, N], () => 1),
      'blocks.0.mixer.C': tensor([T, N], (_, n) => n + 1),
      'blocks.0.mixer.skip': tensor([T, d], (_, c) => c),
      'blocks.0.mixer.y': tensor([T, d], (t, c) => 3 * h(t) + c + (t === 1 && c === 65 ? 0.25 : 0)),
    },
  );
}

test('states are cut into groups of 64 channels or heads', async () => {
  const { layers, bytes } = await overview(halving(), {}, alone);
  assert.equal(bytes, 4 * (d * 4 + d * N));
  assert.deepEqual(
    layers[0]?.states.map(({ name, groups, rows, cols, groupName, rowName, colName }) =>
      [name, groups, rows, cols, groupName, rowName, colName].join(' '),
    ),
    ['conv 2 64 4 channel group channel position', 'ssm 2 64 2 channel group channel state'],
  );
});

test('a step of Mamba: what was there decays, nothing is removed, the identity holds', async () => {
  const found = await step(halving(), { layer: 0, state: 'ssm', group: 0, token: 1, against: 0 }, alone);
  assert.deepEqual(found.after.shape, [64, 2]);
  near(found.before.data[0], 1);
  near(found.after.data[0], 1.5);
  near(found.diff?.data[0], 0.5);
  near(found.write?.data[0], 1);
  assert.equal(found.removal, null);
  near(found.norm, 1.5 * Math.sqrt(128));
  near(found.rank, 1);
  assert.deepEqual(found.horizon?.shape, [64]);
  near(found.horizon?.data[0], 1 / Math.LN2);
  assert.equal(found.horizon?.data[3], Number.POSITIVE_INFINITY);
  assert.equal(found.horizonOf, 'row');
  near(found.identity?.error, 0);
  near(found.identity?.magnitude, 4.5 + 63);
});

test('the last group has the channels that are left, and a broken identity shows', async () => {
  const found = await step(halving(), { layer: 0, state: 'ssm', group: 1, token: 1, against: null }, alone);
  assert.deepEqual(found.after.shape, [6, 2]);
  assert.equal(found.diff, null);
  near(found.identity?.error, 0.25);
});

test('a step at the first token starts from nothing, one behind a stretch from the stretch before', async () => {
  const first = await step(halving(), { layer: 0, state: 'ssm', group: 0, token: 0, against: 299 }, alone);
  assert.ok(first.before.data.every((value) => value === 0));
  near(first.diff?.data[0], 1 - 2);
  const later = await step(halving(), { layer: 0, state: 'ssm', group: 0, token: 256, against: null }, alone);
  near(later.before.data[5], 2);
});

test('a window has no update, only what it holds', async () => {
  const found = await step(halving(), { layer: 0, state: 'conv', group: 1, token: 2, against: null }, alone);
  assert.deepEqual([...found.after.data.slice(0, 4)], [66, 67, 68, 69]);
  assert.deepEqual([found.decay, found.removal, found.write, found.identity, found.horizon], [null, null, null, null, null]);
});

test('the series covers every token, whatever stretches it was read in', async () => {
  const { norm, write, decay } = await series(halving(), { layer: 0, state: 'ssm', group: 1 }, alone);
  const { rank } = await ranks(halving(), { layer: 0, state: 'ssm', group: 1 }, alone);
  assert.equal(rank.data.length, T);
  assert.equal(norm.data.length, T);
  for (const t of [0, 1, 255, 256, 299]) near(norm.data[t], (2 - 2 ** -t) * Math.sqrt(12));
  for (const t of [0, 7, 255, 256, 299]) near(rank.data[t], 1);
  near(write?.data[299], Math.sqrt(12));
  near(decay?.data[256], 0.5);
  const window = await series(halving(), { layer: 0, state: 'conv', group: 0 }, alone);
  assert.deepEqual([window.write, window.decay], [null, null]);
});

test('a step of RWKV: after = before diag(w) − (S κ̂)(a ⊙ κ̂)ᵀ + v kᵀ, and y = S r', async () => {
  const [H, E] = [2, 3];
  const steps = 4;
  const wave = (seed: number) => (t: number, h: number, e: number) => Math.sin(seed + 3 * t + 5 * h + 7 * e);
  const vectors = Object.fromEntries(['r', 'k', 'v', 'kappa'].map((name, i) => [name, tensor([steps, H, E], wave(i))])) as Record<
    string,
    ReturnType<typeof tensor>
  >;
  vectors.w = tensor([steps, H, E], (t, h, e) => 0.5 + 0.5 * wave(9)(t, h, e) ** 2);
  vectors.a = tensor([steps, H, E], (t, h, e) => 0.3 * wave(8)(t, h, e) ** 2);
  const at = (name: string, t: number, h: number, e: number) => vectors[name]?.data[(t * H + h) * E + e] as number;
  const S = tensor([steps, H, E, E], () => 0);
  const index = (t: number, h: number, i: number, j: number) => ((t * H + h) * E + i) * E + j;
  for (let t = 0; t < steps; t++)
    for (let h = 0; h < H; h++)
      for (let i = 0; i < E; i++)
        for (let j = 0; j < E; j++) {
          const before = (col: number) => (t === 0 ? 0 : (S.data[index(t - 1, h, i, col)] as number));
          let removed = 0;
          for (let m = 0; m < E; m++) removed += before(m) * at('kappa', t, h, m);
          S.data[index(t, h, i, j)] =
            before(j) * at('w', t, h, j) -
            removed * at('a', t, h, j) * at('kappa', t, h, j) +
            at('v', t, h, i) * at('k', t, h, j);
        }
  vectors.y = tensor([steps, H, E], (t, h, i) =>
    [0, 1, 2].reduce((sum, j) => sum + (S.data[index(t, h, i, j)] as number) * at('r', t, h, j), 0),
  );
  const layer: LayerView = { ...shared, mixer: 'rwkv', heads: H, headDim: E, state: [matrix('wkv', [H, E, E])] };
  const view = constructedRun([1, 2, 3, 4], [layer], {
    'blocks.0.state.wkv': S,
    ...Object.fromEntries(Object.entries(vectors).map(([name, value]) => [`blocks.0.time_mix.${name}`, value])),
  });
  const found = await step(view, { layer: 0, state: 'wkv', group: 1, token: 3, against: null }, alone);
  for (let i = 0; i < E * E; i++) {
    const [before, decay, removal, write] = [found.before, found.decay, found.removal, found.write].map(
      (x) => x?.data[i] as number,
    ) as [number, number, number, number];
    near(found.after.data[i], decay * before - removal + write);
    near(decay, at('w', 3, 1, i % E));
  }
  near(found.identity?.error, 0);
  assert.ok((found.identity?.magnitude as number) > 0.1);
  assert.equal(found.horizonOf, 'col');
  assert.deepEqual(found.horizon?.shape, [E]);
});

test('what is not there is refused with a code', async () => {
  const at = { layer: 0, state: 'ssm', group: 0, token: 0, against: null };
  await assert.rejects(step(halving(), { ...at, state: 'wkv' }, alone), code('STATE_UNKNOWN'));
  await assert.rejects(step(halving(), { ...at, group: 2 }, alone), code('GROUP_UNKNOWN'));
  await assert.rejects(step(halving(), { ...at, token: 300 }, alone), code('TOKEN_UNKNOWN'));
  await assert.rejects(step(halving(), { ...at, against: 300 }, alone), code('TOKEN_UNKNOWN'));
});

test('a long series can be cancelled, and lets others in', async () => {
  const controller = new AbortController();
  const seen: number[] = [];
  const progress = (done: number) => {
    seen.push(done);
    setImmediate(() => controller.abort());
  };
  await assert.rejects(
    series(halving(), { layer: 0, state: 'ssm', group: 0 }, { signal: controller.signal, progress }),
    (error) => error instanceof LabError && error.code === 'CANCELLED',
  );
  assert.deepEqual(seen, [256]);
});
