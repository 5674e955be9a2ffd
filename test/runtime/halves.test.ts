import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Checkpoint, TensorEntry } from '../../server/formats/checkpoint.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { weightUses } from '../../server/graph/uses.js';
import { f32, type HostTensor } from '../../server/runtime/device.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { type Halves, planWeights } from '../../server/runtime/weightPlan.js';
import { WeightStore } from '../../server/runtime/weights.js';
import { floatToHalf, halfToFloat } from '../../server/tensor/half.js';
import { gpt2Small, gpt2Tensors, llamaTensors, mamba130m, mambaTensors, randomModel, smolLm2 } from '../bench/lib/shapes.js';
import { noise } from '../graph/segments.js';
import { matrixProduct } from './matrixProduct.js';

const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'model-lab-halves-')));
after(() => rm(folder, { recursive: true }));

type Half = 'F16' | 'BF16';
const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] as number;
const CODES: Readonly<Record<Half, (value: number) => number>> = { F16: floatToHalf, BF16: (value) => bits(value) >>> 16 };
const VALUES: Readonly<Record<Half, (code: number) => number>> = {
  F16: (code) => halfToFloat()[code] as number,
  BF16: (code) => new Float32Array(Uint32Array.of(code << 16).buffer)[0] as number,
};

/** Whole pieces of rows, one row over, a matrix [K,N], rows of an odd length, and a stack of two; sizes of values beyond those of F16. */
const MATRICES = [
  { name: 'whole', shape: [512, 300], size: 1 },
  { name: 'over', shape: [513, 300], size: 1e-6 },
  { name: 'turned', shape: [300, 513], size: 1 },
  { name: 'odd', shape: [301, 301], size: 3e4 },
  { name: 'stacked', shape: [2, 301, 300], size: 1 },
] as const;

async function checkpointOf(dtype: Half): Promise<{ checkpoint: Checkpoint; values: ReadonlyMap<string, readonly number[]> }> {
  const [values, tensors, parts] = [new Map<string, number[]>(), new Map<string, TensorEntry>(), [] as Uint8Array[]];
  let offset = 0;
  for (const [i, { name, shape, size }] of MATRICES.entries()) {
    // of each thousandth only a millionth, so that most bits of small values count as well
    const data = noise(i + 1, shape).data.map((v, at) => (at % 1000 === 0 ? 1e-6 : 1) * v * size);
    const codes = Uint16Array.from(data, CODES[dtype]);
    values.set(name, Array.from(codes, VALUES[dtype]));
    const place = { file: 0, offset, bytes: codes.byteLength, permuteRows: null, transpose: false, restore: null, unpack: null };
    tensors.set(name, { name, sourceName: name, dtype, shape, ...place });
    parts.push(new Uint8Array(codes.buffer));
    offset += codes.byteLength;
  }
  const file = path.join(folder, dtype);
  await writeFile(file, Buffer.concat(parts));
  const nothing = { metadata: {}, config: null, generation: null, tokenizer: null };
  const files = [{ path: file, bytes: offset }];
  return { checkpoint: { path: file, name: dtype, format: 'safetensors', files, tensors, ...nothing }, values };
}

for (const dtype of ['F16', 'BF16'] as const)
  test(`a product that widens a matrix in ${dtype} piece by piece is one with the values in the file`, async () => {
    const { checkpoint, values } = await checkpointOf(dtype);
    const device = new LocalDevice();
    for (const { name, shape } of MATRICES) {
      const turned = name === 'turned';
      const stack = shape.length === 3;
      const [N, K] = (turned ? shape.toReversed() : shape.slice(-2)) as [number, number];
      const graph = matrixProduct(checkpoint, name, turned);
      const plan = planWeights(checkpoint, weightUses(graph), 'own', false, true);
      const inPlace = dtype === 'F16' && !turned;
      assert.deepEqual(plan.get(name)?.matrix, { kind: 'halves', inPlace, turned } satisfies Halves, name);
      const data = (values.get(name) as readonly number[]).slice(stack ? N * K : 0);
      const x = Float32Array.from(noise(9, [3, K]).data);
      const store = await WeightStore.open(checkpoint, plan);
      for (const [tokens, sizes] of [
        [1, { B: 1, T: 1 }],
        [3, undefined],
      ] as const) {
        const model = emitOnnx(graph, { place: store.place, weights: 'map', ...(sizes && { sizes }) });
        const session = await device.load(model, { folder: store.folder, threads: 1, prepack: false });
        const feeds = { x: { kind: 'tensor', tensor: f32([1, tokens, K], x.slice(0, tokens * K)) } } as const;
        const { y } = await device.run([{ session, feeds, sinks: { y: [{ kind: 'return', name: 'y' }] } }]);
        const { dims, data: actual } = y as HostTensor;
        assert.deepEqual(dims, [1, tokens, N], name);
        for (let t = 0; t < tokens; t++)
          for (let n = 0; n < N; n++) {
            let [expected, size] = [0, 0];
            for (let k = 0; k < K; k++) {
              const term = (data[turned ? k * N + n : n * K + k] as number) * (x[t * K + k] as number);
              expected += term;
              size += Math.abs(term);
            }
            const error = Math.abs((actual[t * N + n] as number) - expected);
            assert.ok(error <= 1e-6 * size, `${name}, ${tokens} tokens, ${t}, ${n}: off by ${error} of ${size}`);
          }
        await device.release([session]);
      }
      await store.close();
    }
    await device.close();
  });

const llama = {
  ...smolLm2,
  hidden_size: 288,
  intermediate_size: 520,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 48,
  vocab_size: 1021,
};
const gpt2 = { ...gpt2Small, n_embd: 264, n_layer: 2, n_head: 3, vocab_size: 1021 };
const mamba = {
  ...mamba130m,
  hidden_size: 272,
  intermediate_size: 544,
  num_hidden_layers: 2,
  time_step_rank: 17,
  vocab_size: 1021,
};
const CASES = [
  ['llama', llama, llamaTensors(llama)],
  ['GPT-2', gpt2, gpt2Tensors(gpt2)],
  ['Mamba', mamba, mambaTensors(mamba)],
] as const;

for (const [what, config, tensors] of CASES)
  for (const dtype of ['F16', 'BF16'] as const)
    test(`${what} in ${dtype} opens where fp32 has no room, and computes the same`, async () => {
      const file = await randomModel(config, tensors, dtype);
      const device = new LocalDevice();
      try {
        const checkpoint = await openCheckpoint(file);
        const ids = Array.from({ length: 40 }, (_, i) => (i * 7919 + 11) % 1021);
        const read = async (memoryLimit?: number) => {
          const model = await Model.open(checkpoint, { device, threads: 1, ...(memoryLimit !== undefined && { memoryLimit }) });
          const run = await Run.create(model);
          await run.prefill(ids);
          const logits = [await run.logits({ from: 0, to: ids.length }), await run.decode(5), await run.decode(6)];
          const probes = await run.probes(['blocks.1.resid_pre', 'blocks.1.resid_post'], { range: { from: 3, to: 9 } });
          await run.close();
          await model.close();
          return { memory: model.memory, numbers: [...logits, ...[...probes.values()].map(({ data }) => data)] };
        };
        const usual = await read();
        const small = await read(usual.memory - 1);
        assert.ok(small.memory < 0.7 * usual.memory, `${small.memory} bytes instead of ${usual.memory}`);
        for (const [i, expected] of usual.numbers.entries())
          for (const [j, value] of expected.entries()) {
            const actual = small.numbers[i]?.[j] as number;
            assert.ok(Math.abs(actual - value) <= 1e-5 * Math.max(1, Math.abs(value)), `${i}, ${j}: ${actual} for ${value}`);
          }
        await assert.rejects(read(small.memory - 1), { code: 'MODEL_TOO_LARGE' });
      } finally {
        await device.close();
        await rm(file, { recursive: true });
      }
    });
