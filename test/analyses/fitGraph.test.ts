import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { measureAny, predictAny } from '../../server/analyses/fitAny.js';
import { presets } from '../../server/analyses/machines.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { Fit, FitWanted, Machine } from '../../server/protocol/fit.js';
import { LocalDevice } from '../../server/runtime/sessions.js';

const folder = path.resolve(import.meta.dirname, '../fixtures/onnx');
const device = new LocalDevice();
after(() => device.close());

const machine = presets.find(({ id }) => id === 'h100') as Machine;
const wanted = { tokens: 20, batch: 1, dtype: 'own' } as const;
const predict = async (file: string, more: Partial<FitWanted> = {}): Promise<Fit> =>
  predictAny(await openCheckpoint(path.join(folder, file)), { ...wanted, ...more, machine, free: 1e10, device });

/** Sizes of the exported llama (makeLanguageModels.py). */
const { D, F, H, K, E, V, L } = { D: 48, F: 64, H: 6, K: 2, E: 16, V: 101, L: 2 };
const linear = D * H * E + 2 * D * K * E + H * E * D + 3 * D * F;
const products = (T: number, S: number) => L * (2 * T * linear + 4 * T * S * H * E) + 2 * T * D * V;

for (const file of ['dynamo_eager', 'dynamo_attention23', 'torchscript_eager', 'torchscript_sdpa', 'genai_fp32', 'genai_int4'])
  test(`${file}: operations of a prompt and of a token are those of its matrices and its attention`, async () => {
    const { prefill, decode } = await predict(`lm/${file}.onnx`);
    assert.deepEqual([prefill.tokens, prefill.past, decode?.tokens, decode?.past], [20, 0, 1, 19]);
    // what else is computed, norms and RoPE and the softmax, is little
    for (const [flops, least] of [
      [prefill.flops, products(20, 20)],
      [decode?.flops ?? 0, products(1, 20)],
    ] as const)
      assert.ok(flops >= least && flops < 1.09 * least, `${flops} for ${least}`);
    assert.deepEqual(
      prefill.parts.map(({ part, structure }) => [part, structure]).filter(([part]) => part === 'embed' || part === 'head'),
      [
        ['embed', 0],
        ['head', L + 1],
      ],
    );
  });

test('weights are read once, of an embedding only the rows; the cache at its length', async () => {
  const { decode, memory } = await predict('lm/dynamo_eager.onnx');
  const [, block] = decode?.parts ?? [];
  const weights = 4 * (linear + 2 * D);
  const cache = 4 * 2 * K * E;
  assert.ok((block?.bytes ?? 0) > weights + 39 * cache);
  assert.ok((block?.bytes ?? 0) < weights + 39 * cache + 4 * 6 * D, `${block?.bytes}`);
  assert.ok((decode?.parts[0]?.bytes ?? 0) < 4 * V * D);
  assert.ok(memory.state >= 4 * L * 2 * K * E * 19, `${memory.state}`);
});

test('blocks of 4 bits are read as they are stored', async () => {
  const [plain, packed] = [await predict('lm/genai_fp32.onnx'), await predict('lm/genai_int4.onnx')];
  assert.equal(packed.decode?.flops, plain.decode?.flops);
  assert.ok((packed.decode?.bytes ?? 0) < 0.35 * (plain.decode?.bytes ?? 0));
});

test('a graph of one pass has no decoding, a recurrence none of what a cache would cost', async () => {
  const bert = await predict('encoder/bert.onnx');
  assert.equal(bert.decode, null);
  assert.equal(bert.prefill.tokens, 20);
  const [short, long] = [
    await predict('recurrent/lstm.onnx', { tokens: 100 }),
    await predict('recurrent/lstm.onnx', { tokens: 200 }),
  ];
  assert.equal(short.decode?.flops, long.decode?.flops);
  assert.equal(short.memory.state, long.memory.state);
  assert.equal(long.prefill.flops, 2 * short.prefill.flops);
});

test('a loop counts what its body computes for every step', async () => {
  const of = async (tokens: number) => (await predict('recurrent/scan.onnx', { tokens })).prefill.parts[1]?.flops ?? 0;
  const [ten, twenty, forty] = [await of(10), await of(20), await of(40)];
  assert.ok(twenty - ten > 0.9 * ten);
  assert.equal(forty - twenty, 2 * (twenty - ten));
});

test('two sequences are twice the work, where the graph takes two', async () => {
  const [one, two] = [await predict('lm/dynamo_eager.onnx'), await predict('lm/dynamo_eager.onnx', { batch: 2 })];
  assert.ok(Math.abs((two.decode?.flops ?? 0) / (one.decode?.flops ?? 1) - 2) < 0.01);
  assert.ok((two.decode?.bytes ?? 0) < 1.9 * (one.decode?.bytes ?? 1));
});

test('every part is timed, on what those before it gave', async () => {
  for (const file of ['lm/dynamo_eager.onnx', 'lm/genai_int4.onnx', 'encoder/bert.onnx', 'recurrent/scan.onnx']) {
    const checkpoint = await openCheckpoint(path.join(folder, file));
    const { prefill, decode } = await predict(file);
    const steps: number[] = [];
    const options = { device, threads: 1, onProgress: (done: number) => steps.push(done) };
    const { parts } = await measureAny(checkpoint, wanted, options);
    assert.deepEqual(
      parts.map(({ part }) => part),
      prefill.parts.map(({ part }) => part),
    );
    for (const part of parts.slice(0, -1)) {
      assert.ok(part.prefill > 0, file);
      assert.equal(part.decode === null, decode === null);
    }
    assert.equal(steps.at(-1), parts.length * (decode ? 2 : 1));
  }
});
