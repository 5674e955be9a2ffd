import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { Value } from '../../server/graph/ir.js';
import { SegmentBuilder } from '../../server/graph/segmentBuilder.js';
import { weightUses } from '../../server/graph/uses.js';
import type { RunDtype } from '../../server/protocol/models.js';
import { ReferenceLogits } from '../../server/runtime/divergence.js';
import type { Model } from '../../server/runtime/model.js';
import { patch } from '../../server/runtime/patch.js';
import { Run } from '../../server/runtime/run.js';
import type { TokenRange } from '../../server/runtime/view.js';
import { type Blocks, planWeights } from '../../server/runtime/weightPlan.js';
import { roundedRuns } from '../../server/runtime/weightRuns.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures } from '../parity/oracle.js';
import { open, probe } from '../parity/reference.js';

const embedded = (name: string) => path.resolve(import.meta.dirname, '../../media/models', name);
const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * i * 31 + i * 17) % 900));

async function prefilled(file: string, dtype: RunDtype) {
  const opened = await open(file, { dtype });
  await opened.run.prefill(ids);
  return opened;
}

const logitsOf = async (run: Run): Promise<Tensor> => ({
  shape: [ids.length, run.model.bound.config.vocab],
  data: await run.logits({ from: 0, to: ids.length }),
});

for (const bits of [4, 8] as const)
  test(`rounding to ${bits} bits is off by half a step at most, but for ends that are cut off`, async () => {
    const checkpoint = await openCheckpoint(embedded('tiny-llama'));
    for (const name of ['model.layers.0.mlp.up_proj.weight', 'model.layers.1.self_attn.q_proj.weight']) {
      const entry = checkpoint.tensors.get(name) as TensorEntry;
      const K = entry.shape.at(-1) as number;
      const values = await readTensor(checkpoint, entry);
      const { matrix } = planWeights(checkpoint, new Map([[name, new Set(['product'] as const)]]), `int${bits}`).get(name) ?? {};
      const storage = matrix as Blocks;
      let seen = 0;
      for await (const { from, runs } of roundedRuns(checkpoint, entry, storage, K))
        for (const [i, code] of runs.codes.entries()) {
          const value = values[from * K + i] as number;
          const run = Math.floor(i / storage.run);
          const scale = runs.scales[run] as number;
          const error = Math.abs(value - scale * (code - (runs.zeros[run] as number)));
          // in 4 bits an end of the range may be cut off: 12 % of 15 steps
          const cut = bits === 4 && (code === 0 || code === 15) ? (0.12 / 0.88) * 15 : 0;
          assert.ok(error <= scale * (0.5 + cut) + 1e-7, `${name} ${i}: off by ${error}`);
          seen++;
        }
      assert.equal(seen, values.length);
    }
  });

test('what chooses experts is not rounded, what says the logits is told', () => {
  const g = new SegmentBuilder('uses', { shape: () => [64, 64] }, { probes: new Set(), interventions: new Set() });
  const x = g.input('x', 'f32', ['B', 'T', 64]);
  const times = (name: string, y: Value) => g.matmul(y, g.weight(name, [64, 64]), { transB: true });
  const k = { shape: ['B', 'T', 2] };
  g.ops('TopK', [g.softmax(times('router', x)), g.ints(2)], [k, { ...k, dtype: 'i64' }], { axis: -1 });
  const y = times('mlp', x);
  g.output('y', y);
  g.output(
    'logits',
    g.mul(g.tanh(g.div(times('head', g.op('RMSNorm', [y, g.weight('norm', [64, 64])], y.shape, { eps: 1 })), 30)), 30),
  );
  assert.deepEqual(
    [...weightUses(g.graph)].map(([name, uses]) => [name, [...uses]]),
    [
      ['router', ['other']],
      ['mlp', ['product']],
      ['norm', ['other']],
      ['head', ['product', 'logits']],
    ],
  );
});

for (const [name, parts] of [
  ['tiny-llama', ['resid_mid', 'mlp.out']],
  ['tiny-mamba', ['resid_pre', 'mixer.out']],
  ['tiny-rwkv7', ['resid_mid', 'channel_mix.out']],
] as const)
  test(`${name} in int8 and int4: as near to fp32 as measured, decoded as prefilled, seen as run`, async () => {
    const exact = await prefilled(embedded(name), 'fp32');
    const expected = await logitsOf(exact.run);
    const reference = await ReferenceLogits.of(exact.run);
    for (const [dtype, bound] of [
      ['int8', 0.02],
      ['int4', 0.6],
    ] as const) {
      const { model, run, device } = await prefilled(embedded(name), dtype);
      const logits = await logitsOf(run);
      const measured = await reference.divergence(run);
      const direct = divergences(expected, logits);
      assertClose(`${dtype} KL`, { shape: [ids.length], data: measured.perToken }, { shape: [ids.length], data: direct }, 1e-5);
      assert.ok(Math.abs(measured.mean - direct.reduce((a, b) => a + b, 0) / ids.length) < 1e-6);
      assert.equal(measured.largest, measured.perToken[measured.at]);
      assert.ok(measured.mean > 0 && measured.mean < bound, `${name} ${dtype}: KL ${measured.mean}`);
      const stepped = await Run.create(model);
      await stepped.prefill(ids.slice(0, 30));
      for (const id of ids.slice(30)) await stepped.decode(id);
      const between = divergences(logits, await logitsOf(stepped));
      assert.ok(Math.max(...between) < 0.02, `${name} ${dtype}: decoding diverges by ${Math.max(...between)}`);
      // with bytes, 15 bits of the largest number of a call
      const close = dtype === 'int8' ? 1e-5 : 1e-2;
      const logitsAgain = await patch(run, [unchanged(model)]);
      assertClose(`${dtype} recomputed`, logitsAgain, { ...logitsAgain, data: logits.data }, close);
      for (const [from, to] of [
        [0, 30],
        [30, ids.length],
        [20, 21],
      ] as const)
        await assertSeenAsRun(stepped, parts, { from, to }, close);
      const before = await probe(stepped, `blocks.${model.layers.length - 1}.resid_post`);
      await stepped.drop();
      await stepped.restore();
      assertClose(`${dtype} restored`, await probe(stepped, `blocks.${model.layers.length - 1}.resid_post`), before, 1e-5);
      await device.close();
    }
    await reference.remove();
    await exact.device.close();
  });

/** What enters the last block, as it is. */
function unchanged({ layers, bound }: Model) {
  const D = bound.config.dModel;
  const all = (value: number) => ({ shape: [1, D], data: new Float32Array(D).fill(value) });
  return { probe: `blocks.${layers.length - 1}.resid_pre`, scale: all(1), shift: all(0) };
}

/** What a block adds up to, recomputed, against what the run kept of it. */
async function assertSeenAsRun(run: Run, parts: readonly string[], range: TokenRange, tolerance: number): Promise<void> {
  const block = `blocks.${run.layers.length - 1}`;
  const found = await run.probes(
    parts.map((part) => `${block}.${part}`),
    { range },
  );
  const kept = (await run.probes([`${block}.resid_post`], { range })).get(`${block}.resid_post`) as Tensor;
  const sum = kept.data.map((_, i) => [...found.values()].reduce((total, { data }) => total + (data[i] as number), 0));
  assertClose(`${block} for ${range.from}–${range.to}`, { shape: kept.shape, data: sum }, kept, tolerance);
}

/** KL(p‖q) of each row in double precision, from its definition. */
function divergences(p: Tensor, q: Tensor): Float32Array {
  const [T, V] = p.shape as [number, number];
  const softmax = (x: Tensor, t: number) => {
    const row = Array.from(x.data.subarray(t * V, (t + 1) * V), (v) => Math.exp(v));
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((v) => v / sum);
  };
  return Float32Array.from({ length: T }, (_, t) => {
    const [a, b] = [softmax(p, t), softmax(q, t)];
    return a.reduce((sum, v, i) => sum + v * Math.log(v / (b[i] as number)), 0);
  });
}

test('a quantised file keeps its own numbers in int4', async () => {
  const file = path.join(fixtures, 'gguf_llama_q4_0/model.gguf');
  const checkpoint = await openCheckpoint(file);
  const uses = new Map([...checkpoint.tensors.keys()].map((name) => [name, new Set(['product'] as const)]));
  const kinds = [...planWeights(checkpoint, uses, 'int4')].map(([name, { matrix }]) => [
    name,
    matrix?.kind === 'blocks' && matrix.integers !== null,
  ]);
  for (const [name, own] of kinds) assert.equal(own, checkpoint.tensors.get(name as string)?.dtype === 'Q4_0', name as string);
});
