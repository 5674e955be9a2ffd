import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type FitOptions, predictFit } from '../../server/analyses/fit.js';
import { callsOf } from '../../server/analyses/fitCalls.js';
import { presets } from '../../server/analyses/machines.js';
import { measureParts } from '../../server/analyses/measureParts.js';
import type { Checkpoint } from '../../server/formats/checkpoint.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { Fit, FitWanted, Machine, PhaseCost } from '../../server/protocol/fit.js';
import { measureMachine } from '../../server/runtime/machine.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { bindStacks } from '../../server/runtime/stacks.js';
import { sizeOf } from '../../server/tensor/tensor.js';
import { code } from '../code.js';
import { embedded, openLab } from '../lab/harness.js';
import { fixtures } from '../parity/oracle.js';

const [more, encoders] = ['oracles_more', 'oracles_encoders'].map((name) => path.join(fixtures, '..', name)) as [string, string];

const device = new LocalDevice();
after(() => device.close());

const open = (family: string) => openCheckpoint(path.join(fixtures, family));
const preset = (id: string) => presets.find((machine) => machine.id === id) as Machine;
const near = (actual: number | null | undefined, expected: number, what: string, tolerance = 1e-9) =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= tolerance * Math.abs(expected),
    `${what}: ${actual} instead of ${expected}`,
  );

const h100 = preset('h100');
const predict = (checkpoint: Checkpoint, more: Partial<FitOptions>): Promise<Fit> =>
  predictFit(checkpoint, { tokens: 100, batch: 1, dtype: 'own', machine: h100, free: 1e10, ...more });
/** Of a language model, which decodes. */
const on = async (family: string, tokens: number, machine = h100, batch = 1): Promise<Fit & { decode: PhaseCost }> => {
  const fit = await predict(await open(family), { tokens, batch, machine });
  assert.ok(fit.decode);
  return fit as Fit & { decode: PhaseCost };
};

/** Sizes of the llama fixture, by its config. */
const { D, F, H, K, E, V, L } = { D: 32, F: 64, H: 4, K: 2, E: 8, V: 96, L: 2 };

test('a step of decoding is read from memory: weights and cache by the book', async () => {
  const tokens = 1000;
  const { decode, type } = await on('llama', tokens);
  assert.equal(type, 'bf16');
  const block = 2 * D + D * H * E + 2 * D * K * E + H * E * D + 3 * D * F;
  const cache = 2 * K * E * (tokens - 1);
  const fresh = 2 * K * E;
  // what passes from block to block: the stream twice, how many came before and how many rows are kept
  const [first] = decode.parts.filter(({ part }) => part === 0);
  near(first?.bytes, 2 * (block + cache + fresh + 2 * D + 4), 'bytes of a block');
  near(first?.seconds, (first?.bytes ?? 0) / h100.bandwidth, 'seconds of a block');
  assert.equal(first?.bound, 'memory');
  near(
    decode.bytes,
    decode.parts.reduce((sum, { bytes }) => sum + bytes, 0),
    'bytes of all',
  );
  assert.equal(decode.parts.length, L + 2);
});

test('a long chunk of a wide model is computed: seconds are operations over the peak', async () => {
  const machine = { ...h100, bandwidth: 1e18 };
  const { prefill } = await on('llama', 256, machine);
  for (const { flops, seconds, bound } of prefill.parts.slice(1)) {
    near(seconds, flops / (machine.flops.bf16 as number), 'seconds');
    assert.equal(bound, 'compute');
  }
  // of a prompt only its last token meets the unembedding
  near(prefill.parts.at(-1)?.flops, 2 * D * V + 4 * D, 'operations of the head');
});

test('memory: weights once, the cache for every token and sequence', async () => {
  const [one, many] = [await on('llama', 100), await on('llama', 1000, h100, 8)];
  const perToken = 2 * K * E * L * 2;
  assert.equal(one.memory.state, 100 * perToken);
  assert.equal(many.memory.state, 8 * 1000 * perToken);
  assert.equal(one.memory.weights, one.parameters * 2);
  assert.equal(one.memory.available, 80e9);
  assert.equal(one.memory.needed, one.memory.weights + one.memory.state + one.memory.checkpoints);
  const sliding = await on('mistral', 1000);
  assert.ok(sliding.memory.state < many.memory.state / 50, 'a window forgets');
  const [mamba, longer] = [await on('mamba', 10), await on('mamba', 10_000)];
  assert.equal(mamba.memory.state, longer.memory.state);
});

test('of experts a step reads those that its token is sent to', async () => {
  const { decode } = await on('mixtral', 100);
  const dense = await on('llama', 100);
  const [block, plain] = [decode.parts[1]?.bytes ?? 0, dense.decode.parts[1]?.bytes ?? 0];
  // two of four experts of three matrices, the router and nothing else beside llama's one
  assert.equal(block - plain, 2 * (2 * 3 * D * F + 4 * D - 3 * D * F));
});

test('a machine without a published peak is told by its bandwidth, for decoding only', async () => {
  const apple = preset('m4-max');
  const { prefill, decode } = await on('llama', 512, apple);
  assert.equal(prefill.seconds, null);
  near(decode.seconds, decode.bytes / apple.bandwidth, 'seconds');
});

test('this machine: what passes between operators and what starting them costs counts as well', async () => {
  const product = { flops: 1e12, weights: 1e10 };
  const products = { int8: product, int4: product, own4: product };
  const measured = {
    innerBandwidth: 1e10,
    operatorSeconds: 1e-6,
    callSeconds: 0,
    cached: [],
    products,
    threads: 1,
    provider: 'cpu',
  };
  const here: Machine = { ...h100, id: 'here', bandwidth: 1e10, flops: { fp32: 1e11 }, measured };
  const { decode, memory, type } = await on('llama', 64, here);
  assert.equal(type, 'fp32');
  const block = decode.parts[1];
  const slower = await on('llama', 64, { ...here, measured: { ...measured, operatorSeconds: 2e-6 } });
  const operators = ((slower.decode.parts[1]?.seconds ?? 0) - (block?.seconds ?? 0)) / 1e-6;
  assert.ok(operators > 30 && Math.abs(operators - Math.round(operators)) < 1e-3, `${operators} operators of a microsecond`);
  assert.ok((block?.seconds ?? 0) > operators * 1e-6);
  const called = await on('llama', 64, { ...here, measured: { ...measured, callSeconds: 5e-6 } });
  near(called.decode.seconds, (decode.seconds ?? 0) + 5e-6 * (L + 2), 'seconds with a call for each part');
  assert.ok((block?.seconds ?? 0) < operators * 1e-6 + 10 * (block?.bytes ?? 0) * 1e-10);
  assert.equal(memory.checkpoints, (L + 1) * D * 64 * 4);
  assert.equal(memory.available, 1e10);
});

test('every preset says where its numbers are from', () => {
  assert.equal(new Set(presets.map(({ id }) => id)).size, presets.length);
  for (const { source, bandwidth, flops } of presets) {
    assert.match(source, /\b20\d\d\b/);
    assert.ok(bandwidth > 1e11 && Object.values(flops).every((value) => value > 1e12));
  }
});

const folders = [fixtures, more, encoders].flatMap((folder) =>
  readdirSync(folder).flatMap((name) => (existsSync(path.join(folder, name, 'config.json')) ? [path.join(folder, name)] : [])),
);
test('every family has a prediction', async () => {
  for (const folder of folders) {
    const { prefill, decode, text, image } = await predict(await openCheckpoint(folder), { tokens: 300 });
    assert.ok(prefill.flops > 0 && (prefill.seconds ?? 0) > 0 && (text || image), folder);
    if (decode) assert.ok(prefill.flops > decode.flops && (decode.seconds ?? 0) > 0, folder);
  }
  assert.ok(folders.length > 100, `${folders.length} models`);
});

const weightsOf = (checkpoint: Checkpoint, prefix: string): number =>
  [...checkpoint.tensors.values()].reduce((n, t) => n + (t.name.startsWith(prefix) ? sizeOf(t.shape) : 0), 0);

test('an image is as many tokens as it has patches, and the class before them; all are read at once', async () => {
  const checkpoint = await open('vit');
  const config = checkpoint.config as Record<string, number>;
  const [D, side, patch] = [config.hidden_size, config.image_size, config.patch_size] as [number, number, number];
  const { prefill, decode, image, text, memory } = await predict(checkpoint, { tokens: 7, batch: 3 });
  const T = (side / patch) ** 2 + 1;
  assert.deepEqual({ decode, image, text }, { decode: null, image: { height: side, width: side, free: false }, text: false });
  const [embed, block] = prefill.parts;
  assert.deepEqual([embed?.tokens, block?.tokens, prefill.tokens], [T, T, T]);
  // weights once; what enters and leaves for every token of every image
  near(
    block?.bytes,
    2 * (weightsOf(checkpoint, 'vit.encoder.layer.0.') || weightsOf(checkpoint, 'encoder.layer.0.')) + 2 * 2 * 3 * T * D,
    'bytes of a block',
  );
  assert.equal(memory.state, 0);
});

test('a model that takes any image is predicted for the size that is asked for', async () => {
  const checkpoint = await open('dinov2');
  const { patch_size: patch = 1, image_size: usual } = checkpoint.config as Record<string, number>;
  const sized = await predict(checkpoint, { pixels: [3 * patch + 1, 5 * patch] });
  assert.deepEqual(sized.image, { height: 3 * patch + 1, width: 5 * patch, free: true });
  assert.equal(sized.prefill.tokens, 3 * 5 + 1);
  assert.equal((await predict(checkpoint, {})).image?.height, usual);
});

test('two towers: an image as it is, a text as long as there are positions for', async () => {
  const checkpoint = await open('clip');
  const { text_config: words, vision_config: sight } = checkpoint.config as Record<string, Record<string, number>>;
  const { prefill } = await predict(checkpoint, { tokens: 1000 });
  const tokens = (tower: string) => prefill.parts.find((part) => part.tower === tower)?.tokens;
  assert.equal(tokens('text'), words?.max_position_embeddings);
  assert.equal(tokens('vision'), ((sight?.image_size ?? 0) / (sight?.patch_size ?? 1)) ** 2 + 1);
});

test('each dtype: bytes by the book, elsewhere with scales of two bytes and a zero point', async () => {
  const checkpoint = await openCheckpoint(embedded('tiny-llama'));
  const { choices } = await predict(checkpoint, {});
  const bytes =
    (bits: number) =>
    (shape: readonly number[], name: string): number => {
      const [N = 0, K = 0] = shape;
      if (shape.length !== 2 || Math.min(N, K) < 64) return 2 * sizeOf(shape);
      // what says the logits keeps 8 bits
      const each = (name.includes('embed_tokens') || name.startsWith('lm_head') ? 8 : bits) / 8;
      return sizeOf(shape) * each + (sizeOf(shape) / (K % 64 === 0 ? 64 : 32)) * (2 + each);
    };
  const all = (of: (shape: readonly number[], name: string) => number) =>
    [...checkpoint.tensors.values()].reduce((sum, { shape, name }) => sum + of(shape, name), 0);
  const expected = {
    own: all((shape) => 2 * sizeOf(shape)),
    fp32: all((shape) => 4 * sizeOf(shape)),
    int8: all(bytes(8)),
    int4: all(bytes(4)),
  };
  assert.deepEqual(Object.fromEntries(choices.map(({ dtype, weights }) => [dtype, weights])), expected);
  assert.ok((choices[3]?.decode ?? 1) < (choices[0]?.decode ?? 0), 'fewer bytes are read sooner');
  const { decode, type, roof, provenance } = await predict(checkpoint, { dtype: 'int8' });
  assert.deepEqual([type, roof.peak, decode?.seconds], ['int8', h100.flops.int8, choices[2]?.decode]);
  assert.match(provenance.dtype, /as int8/);
});

test('blocks of a file stay as they are on another machine', async () => {
  const checkpoint = await openCheckpoint(path.join(fixtures, 'gguf_llama_q4_0', 'model.gguf'));
  const { memory } = await predict(checkpoint, {});
  const expected = [...checkpoint.tensors.values()].reduce(
    (sum, { dtype, bytes, shape, name }) =>
      sum + (dtype === 'Q4_0' && !name.includes('embed_tokens') ? bytes : 2 * sizeOf(shape)),
    0,
  );
  assert.ok(Math.abs(memory.weights - expected) <= 0.3 * expected, `${memory.weights} ${expected}`);
  assert.ok(memory.weights < 2 * [...checkpoint.tensors.values()].reduce((n, { shape }) => n + sizeOf(shape), 0));
});

test('this machine: products with whole numbers go by what they were measured at', async () => {
  const checkpoint = await openCheckpoint(embedded('tiny-llama'));
  const slow = { flops: 1e9, weights: 1e8 };
  const fast = { flops: 1e15, weights: 1e15 };
  const machine = (int4: typeof slow): Machine => ({
    ...h100,
    flops: { fp32: 1e15 },
    measured: {
      innerBandwidth: 1e15,
      operatorSeconds: 0,
      callSeconds: 0,
      products: { int8: fast, int4, own4: fast },
      threads: 1,
      provider: 'cpu',
    },
  });
  const seconds = async (int4: typeof slow) =>
    (await predict(checkpoint, { dtype: 'int4', machine: machine(int4) })).decode?.seconds ?? 0;
  const rounded = [...checkpoint.tensors.values()].filter(
    ({ shape: [N = 0, K = 0], name }) => Math.min(N, K) >= 64 && K % 32 === 0 && !/embed_tokens|lm_head/.test(name),
  );
  const weights = rounded.reduce((n, { shape }) => n + sizeOf(shape), 0);
  near((await seconds(slow)) - (await seconds(fast)), weights / slow.weights, 'seconds of the products', 0.01);
});

test('what a machine does is measured, and each part of a model', async () => {
  const machine = await measureMachine(device, { threads: 1 });
  assert.ok(machine.bandwidth > 1e8 && machine.bandwidth < 1e13, `${machine.bandwidth}`);
  assert.ok((machine.flops.fp32 ?? 0) > 1e8 && (machine.flops.fp32 ?? 0) < 1e14);
  assert.ok((machine.measured?.operatorSeconds ?? 0) > 1e-9 && (machine.measured?.operatorSeconds ?? 1) < 1e-3);
  for (const { flops, weights } of Object.values(machine.measured?.products ?? {}))
    assert.ok(flops > 1e8 && flops < 1e14 && weights > 1e7 && weights < 1e13, `${flops} ${weights}`);
  const seen: number[] = [];
  for (const family of ['llama', 'mamba', 'mistral', 'jamba', 'gpt_oss', 'nsa', 'dinov2', 'clip', 'gguf_llama_q4_0']) {
    const file = existsSync(path.join(fixtures, family, 'model.gguf'))
      ? path.join(fixtures, family, 'model.gguf')
      : path.join(fixtures, family);
    const checkpoint = await openCheckpoint(file);
    const wanted = { tokens: 40, batch: 2, dtype: 'own' } as const;
    const { parts, provenance } = await measureParts(checkpoint, wanted, {
      device,
      threads: 1,
      onProgress: (done) => seen.push(done),
    });
    const predicted = await predict(checkpoint, { ...wanted, machine });
    assert.deepEqual(
      parts.map(({ part }) => part),
      predicted.prefill.parts.map(({ part }) => part),
    );
    assert.equal(provenance.dtype, predicted.provenance.dtype);
    for (const { prefill, decode } of parts) {
      assert.ok(prefill > 0 && prefill < 5, family);
      assert.equal(decode === null, predicted.decode === null, family);
      if (decode !== null) assert.ok(decode > 0 && decode < 5, family);
    }
  }
  assert.ok(seen.length > 20);
});

test('each dtype is measured as it is run, and said to be', async () => {
  const checkpoint = await openCheckpoint(embedded('tiny-llama'));
  for (const [dtype, said] of [
    ['int8', 'F32 as int8'],
    ['int4', 'F32 as int4'],
  ] as const) {
    const { parts, provenance } = await measureParts(checkpoint, { tokens: 8, batch: 1, dtype }, { device, threads: 1 });
    assert.equal(provenance.dtype, said.replace('F32', [...checkpoint.tensors.values()][0]?.dtype ?? ''));
    for (const { prefill, decode } of parts) assert.ok(prefill > 0 && (decode ?? 0) > 0);
  }
});

test('measuring can be cancelled between parts', async () => {
  const controller = new AbortController();
  const options = { device, threads: 1, signal: controller.signal, onProgress: () => controller.abort() };
  await assert.rejects(measureParts(await open('llama'), { tokens: 8, batch: 1, dtype: 'own' }, options), code('CANCELLED'));
});

test('the two calls: a chunk in the middle of the prompt, a token at its end', async () => {
  const { stacks } = await bindStacks(await open('llama'));
  const calls = (wanted: Pick<FitWanted, 'tokens' | 'batch'>) => {
    const { prefill, decode } = callsOf(stacks, wanted);
    return { prefill: prefill.get(''), decode: decode?.get('') };
  };
  assert.deepEqual(calls({ tokens: 1, batch: 1 }), {
    prefill: { batch: 1, tokens: 1, past: 0 },
    decode: { batch: 1, tokens: 1, past: 0 },
  });
  assert.deepEqual(calls({ tokens: 1024, batch: 3 }), {
    prefill: { batch: 3, tokens: 256, past: 384 },
    decode: { batch: 3, tokens: 1, past: 1023 },
  });
});

test('the lab predicts for this machine and others, and says which it does not know', async () => {
  const { ask, lab } = openLab();
  const wanted = { path: embedded('tiny-llama'), tokens: 64, batch: 1, dtype: 'own' } as const;
  const [first, ...others] = await ask('fit/machines', {});
  assert.equal(first?.id, 'here');
  assert.equal(others.length, presets.length);
  const here = await ask('fit/predict', { ...wanted, machine: 'here' });
  assert.ok(here.machine.measured && here.memory.available && here.memory.available > 0);
  assert.ok((await ask('fit/machines', {}))[0]?.measured);
  assert.equal((await ask('fit/predict', { ...wanted, machine: 'a100-80' })).machine.name, preset('a100-80').name);
  await assert.rejects(ask('fit/predict', { ...wanted, machine: 'abacus' }), code('MACHINE_UNKNOWN'));
  const { parts } = await ask('fit/measure', wanted);
  assert.equal(parts.length, here.prefill.parts.length);
  await lab.dispose();
});
