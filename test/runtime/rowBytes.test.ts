import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { emitOnnx } from '../../server/graph/emit.js';
import type { Value } from '../../server/graph/ir.js';
import { SegmentBuilder } from '../../server/graph/segmentBuilder.js';
import { weightUses } from '../../server/graph/uses.js';
import { f32, type HostTensor } from '../../server/runtime/device.js';
import { multipliesBytes } from '../../server/runtime/multipliesBytes.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { type Blocks, planWeights } from '../../server/runtime/weightPlan.js';
import { roundedRuns, rowBytes } from '../../server/runtime/weightRuns.js';
import { WeightStore } from '../../server/runtime/weights.js';
import { noise } from '../graph/segments.js';

const name = 'model.layers.0.mlp.up_proj.weight';
const checkpoint = await openCheckpoint(path.resolve(import.meta.dirname, '../../media/models/tiny-llama'));
const entry = checkpoint.tensors.get(name) as TensorEntry;
const [N, K] = entry.shape as [number, number];
const uses = new Map([[name, new Set(['product'] as const)]]);
const storage = planWeights(checkpoint, uses, 'int4').get(name)?.matrix as Blocks;

/** The matrix [N,K] as 4 bits say it, and as its row bytes do. */
async function matrices() {
  const [rounded, bytes] = [new Float64Array(N * K), new Float64Array(N * K)];
  for await (const { from, runs } of roundedRuns(checkpoint, entry, storage, K)) {
    const { codes, scales } = rowBytes(runs, storage, K);
    for (const [i, code] of codes.entries()) {
      const run = Math.floor(i / storage.run);
      rounded[from * K + i] = (runs.scales[run] as number) * ((runs.codes[i] as number) - (runs.zeros[run] as number));
      bytes[from * K + i] = code * (scales[Math.floor(i / K)] as number);
    }
  }
  return { rounded, bytes };
}

test('bytes are off by half a step of their row at most', async () => {
  const { rounded, bytes } = await matrices();
  for (let n = 0; n < N; n++) {
    const row = rounded.subarray(n * K, (n + 1) * K);
    const step = Math.max(...row.map(Math.abs)) / 127;
    for (const [k, value] of row.entries())
      assert.ok(Math.abs(value - (bytes[n * K + k] as number)) <= step * 0.501, `${n}, ${k}`);
  }
});

test('many tokens times bytes is the product, for tokens of any size', async (t) => {
  const device = new LocalDevice();
  if (!(await multipliesBytes(device))) return t.skip('this processor does not multiply bytes exactly');
  const { bytes } = await matrices();
  // a token ten thousand times the others, and one of zeros
  const sizes = [1, 1e4, 0, 1e-3, 1];
  const x = noise(3, [1, sizes.length, K]).data.map((value, i) => value * (sizes[Math.floor(i / K)] as number));
  for (const normed of [false, true]) {
    const shapes = new Map([
      [name, entry.shape],
      ['model.layers.0.input_layernorm.weight', [K]],
    ]);
    const g = new SegmentBuilder(
      'bytes',
      { shape: (n) => shapes.get(n) ?? null },
      { probes: new Set(), interventions: new Set() },
    );
    const given = g.input('x', 'f32', ['B', 'T', K]);
    const ones = g.constant(new Float32Array(K).fill(1), [K]);
    const read: Value = normed ? g.op('RMSNorm', [given, ones], given.shape, { eps: 1e-6 }) : given;
    g.output('y', g.matmul(read, g.weight(name, entry.shape), { transB: true }));
    const store = await WeightStore.open(checkpoint, planWeights(checkpoint, weightUses(g.graph), 'int4', true));
    const model = emitOnnx(g.graph, { place: store.place, weights: 'prepack', many: true });
    const session = await device.load(model, { folder: store.folder, threads: 1, prepack: true });
    const feeds = { x: { kind: 'tensor', tensor: f32([1, sizes.length, K], Float32Array.from(x)) } } as const;
    const { y } = await device.run([{ session, feeds, sinks: { y: [{ kind: 'return', name: 'y' }] } }]);
    const actual = (y as HostTensor).data as Float32Array;
    for (const [t] of sizes.entries()) {
      const row = Float64Array.from(x.subarray(t * K, (t + 1) * K));
      const size = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / K + (normed ? 1e-6 : 0));
      for (let n = 0; n < N; n++) {
        const w = bytes.subarray(n * K, (n + 1) * K);
        const product = row.reduce((sum, v, k) => sum + v * (w[k] as number), 0);
        const length = size * Math.sqrt(w.reduce((sum, v) => sum + v * v, 0) * K);
        const [expected, bound] = normed ? [product / size, length / size] : [product, length];
        const error = Math.abs((actual[t * N + n] as number) - expected);
        assert.ok(
          error <= 1e-4 * bound + 1e-12,
          `${normed ? 'normed' : 'as it is'}, token ${t}, row ${n}: off by ${error} of ${bound}`,
        );
      }
    }
    await device.release([session]);
    await store.close();
  }
  await device.close();
});
