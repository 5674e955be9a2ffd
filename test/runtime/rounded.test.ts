import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Checkpoint, TensorEntry } from '../../server/formats/checkpoint.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { weightUses } from '../../server/graph/uses.js';
import { f32, type HostTensor } from '../../server/runtime/device.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { type Blocks, planWeights, stretchesOf } from '../../server/runtime/weightPlan.js';
import { WeightStore } from '../../server/runtime/weights.js';
import { noise } from '../graph/segments.js';
import { matrixProduct } from './matrixProduct.js';

/** Rows [N,K] whose lengths are whole runs of 64 (of an odd number, too), of 32, and neither; a stack of two; and one that is stored as [K,N]. */
const MATRICES = [
  { name: 'nine', shape: [66, 576], run: 64 },
  { name: 'three', shape: [64, 96], run: 32 },
  { name: 'ragged', shape: [70, 100], run: 32 },
  { name: 'shortest', shape: [64, 65], run: 32 },
  { name: 'turned', shape: [192, 64], run: 64 },
  { name: 'raggedTurned', shape: [81, 66], run: 32 },
  { name: 'stacked', shape: [2, 65, 160], run: 32 },
] as const;
const isTurned = (name: string): boolean => /turned/i.test(name);

const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'model-lab-rounded-')));
after(() => rm(folder, { recursive: true }));

/** The matrices in a file: random numbers, of which some runs are of one sign and one is all zeros. */
async function checkpointOf(): Promise<{ checkpoint: Checkpoint; values: ReadonlyMap<string, Float32Array> }> {
  const values = new Map<string, Float32Array>();
  const tensors = new Map<string, TensorEntry>();
  let offset = 0;
  const plain = { permuteRows: null, transpose: false, restore: null, unpack: null };
  for (const [i, { name, shape }] of MATRICES.entries()) {
    const data = Float32Array.from(noise(i + 1, shape).data, (v, at) =>
      at < 64 ? 0 : at % 7 === 0 ? 2 * v : (at >> 6) % 5 === 0 ? Math.abs(v) : v,
    );
    values.set(name, data);
    tensors.set(name, { name, sourceName: name, dtype: 'F32', shape, file: 0, offset, bytes: data.byteLength, ...plain });
    offset += data.byteLength;
  }
  const file = path.join(folder, 'weights');
  await writeFile(file, Buffer.concat([...values.values()].map((v) => new Uint8Array(v.buffer))));
  const nothing = { metadata: {}, config: null, generation: null, tokenizer: null };
  const files = [{ path: file, bytes: offset }];
  return { checkpoint: { path: file, name: 'rounded', format: 'safetensors', files, tensors, ...nothing }, values };
}

/** A run with codes over a part of what goes from its least to its largest value, 0 among them, in double precision. */
function roundedOver(run: readonly number[], part: number, bits: number): number[] {
  const [low, high] = [Math.min(0, ...run), Math.max(0, ...run)];
  const step = (part * (high - low)) / (2 ** bits - 1);
  if (step === 0) return run.map(() => 0);
  const zero = Math.round((-low * part) / step);
  return run.map((value) => step * (Math.min(2 ** bits - 1, Math.max(0, Math.round(value / step) + zero)) - zero));
}

/** W as rows [N,K] by its definition: in 4 bits the part of the range that is off by least. */
function roundedBy(rows: readonly number[][], run: number, bits: number): number[][] {
  const parts = bits === 4 ? [1, 0.94, 0.88] : [1];
  return rows.map((row) =>
    Array.from({ length: Math.ceil(row.length / run) }, (_, i) => {
      const values = row.slice(i * run, (i + 1) * run);
      const tried = parts.map((part) => roundedOver(values, part, bits));
      const errors = tried.map((all) => all.reduce((sum, v, k) => sum + (v - (values[k] as number)) ** 2, 0));
      return tried[errors.indexOf(Math.min(...errors))] as number[];
    }).flat(),
  );
}

for (const dtype of ['int4', 'int8'] as const)
  test(`a product with a matrix in ${dtype} is one with the numbers that it stands for, rows of any length`, async () => {
    const { checkpoint, values } = await checkpointOf();
    const device = new LocalDevice();
    for (const { name, shape, run } of MATRICES) {
      const turned = isTurned(name);
      const stack = shape.length === 3;
      const [N, K] = (turned ? shape.toReversed() : shape.slice(-2)) as [number, number];
      const graph = matrixProduct(checkpoint, name, turned);
      const plan = planWeights(checkpoint, weightUses(graph), dtype);
      const storage = plan.get(name)?.matrix as Blocks;
      assert.deepEqual([storage.kind, storage.run, storage.bits], ['blocks', run, dtype === 'int4' ? 4 : 8], name);
      const runs = Math.ceil(K / run);
      const perRow = (runs * run * storage.bits) / 8 + 4 * runs + Math.ceil((runs * storage.bits) / 8);
      const bytes = Object.values(stretchesOf(checkpoint.tensors.get(name) as TensorEntry, storage)).reduce((a, b) => a + b, 0);
      assert.equal(bytes, perRow * N * (stack ? 2 : 1), name);
      const data = (values.get(name) as Float32Array).subarray(stack ? N * K : 0);
      const rows = Array.from({ length: N }, (_, n) =>
        Array.from({ length: K }, (_, k) => data[turned ? k * N + n : n * K + k] as number),
      );
      const W = roundedBy(rows, run, storage.bits);
      // whole numbers of which the largest of a run is 127: activations in 8 bits are exact
      const x = Float32Array.from(noise(9, [3, K]).data, (v, i) => ((i % K) % run === 0 ? 127 : Math.round(126 * v)));
      const store = await WeightStore.open(checkpoint, plan);
      for (const tokens of [1, 3])
        for (const weights of ['prepack', 'map'] as const) {
          const model = emitOnnx(graph, { place: store.place, weights });
          const session = await device.load(model, { folder: store.folder, threads: 1, prepack: weights === 'prepack' });
          const feeds = { x: { kind: 'tensor', tensor: f32([1, tokens, K], x.slice(0, tokens * K)) } } as const;
          const { y } = await device.run([{ session, feeds, sinks: { y: [{ kind: 'return', name: 'y' }] } }]);
          const actual = (y as HostTensor).data as Float32Array;
          for (let t = 0; t < tokens; t++)
            for (const [n, row] of W.entries()) {
              const terms = row.map((v, k) => v * (x[t * K + k] as number));
              const expected = terms.reduce((a, b) => a + b, 0);
              const size = terms.reduce((a, b) => a + Math.abs(b), 0);
              const error = Math.abs((actual[t * N + n] as number) - expected);
              assert.ok(
                error <= 2e-6 * size + 1e-6,
                `${name} ${weights}, ${tokens} tokens, ${t}, ${n}: off by ${error} of ${size}`,
              );
            }
          await device.release([session]);
        }
      await store.close();
    }
    await device.close();
  });
