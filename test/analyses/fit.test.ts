import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { callsOf, predictFit } from '../../server/analyses/fit.js';
import { presets } from '../../server/analyses/machines.js';
import { measureParts } from '../../server/analyses/measureParts.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { LabError } from '../../server/protocol/errors.js';
import type { Fit, Machine } from '../../server/protocol/fit.js';
import { measureMachine } from '../../server/runtime/machine.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { code, embedded, openLab } from '../lab/harness.js';
import { fixtures } from '../parity/oracle.js';

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
const on = async (family: string, tokens: number, machine = h100, batch = 1): Promise<Fit> =>
  predictFit(await open(family), { tokens, batch, machine, free: 1e10 });

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
  const measured = { innerBandwidth: 1e10, operatorSeconds: 1e-6, threads: 1 };
  const here: Machine = { ...h100, id: 'here', bandwidth: 1e10, flops: { fp32: 1e11 }, measured };
  const { decode, memory, type } = await on('llama', 64, here);
  assert.equal(type, 'fp32');
  const block = decode.parts[1];
  const slower = await on('llama', 64, { ...here, measured: { ...measured, operatorSeconds: 2e-6 } });
  const operators = ((slower.decode.parts[1]?.seconds ?? 0) - (block?.seconds ?? 0)) / 1e-6;
  assert.ok(operators > 30 && Math.abs(operators - Math.round(operators)) < 1e-3, `${operators} operators of a microsecond`);
  assert.ok((block?.seconds ?? 0) > operators * 1e-6);
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

const folders = readdirSync(fixtures).filter((name) => existsSync(path.join(fixtures, name, 'config.json')));
test('every family that reads tokens has a prediction', async () => {
  const without: string[] = [];
  for (const family of folders) {
    try {
      const { prefill, decode } = await on(family, 300);
      assert.ok(prefill.flops > decode.flops && decode.seconds !== null && decode.seconds > 0, family);
    } catch (error) {
      assert.equal((error as LabError).code, 'SIZES_UNKNOWN', `${family}: ${(error as Error).stack}`);
      without.push(family);
    }
  }
  assert.ok(without.length < 8, without.join());
});

test('what a machine does is measured, and each part of a model', async () => {
  const machine = await measureMachine(device, { threads: 1 });
  assert.ok(machine.bandwidth > 1e8 && machine.bandwidth < 1e13, `${machine.bandwidth}`);
  assert.ok((machine.flops.fp32 ?? 0) > 1e8 && (machine.flops.fp32 ?? 0) < 1e14);
  assert.ok((machine.measured?.operatorSeconds ?? 0) > 1e-9 && (machine.measured?.operatorSeconds ?? 1) < 1e-3);
  const seen: number[] = [];
  for (const family of ['llama', 'mamba', 'rwkv7', 'mixtral', 'mistral', 'deepseek_v2', 'jamba', 'gguf_llama_q4_0']) {
    const file = existsSync(path.join(fixtures, family, 'model.gguf'))
      ? path.join(fixtures, family, 'model.gguf')
      : path.join(fixtures, family);
    const checkpoint = await openCheckpoint(file);
    const { parts } = await measureParts(
      checkpoint,
      { tokens: 40, batch: 2 },
      { device, threads: 1, onProgress: (done) => seen.push(done) },
    );
    const predicted = await predictFit(checkpoint, { tokens: 40, batch: 2, machine, free: 1e10 });
    assert.deepEqual(
      parts.map(({ part }) => part),
      predicted.decode.parts.map(({ part }) => part),
    );
    for (const { prefill, decode } of parts) assert.ok(prefill > 0 && decode > 0 && prefill < 5 && decode < 5);
  }
  assert.ok(seen.length > 20);
});

test('measuring can be cancelled between parts', async () => {
  const controller = new AbortController();
  const options = { device, threads: 1, signal: controller.signal, onProgress: () => controller.abort() };
  await assert.rejects(measureParts(await open('llama'), { tokens: 8, batch: 1 }, options), code('CANCELLED'));
});

test('the two calls: a chunk in the middle of the prompt, a token at its end', () => {
  assert.deepEqual(callsOf({ tokens: 1, batch: 1 }), {
    prefill: { batch: 1, tokens: 1, past: 0 },
    decode: { batch: 1, tokens: 1, past: 0 },
  });
  assert.deepEqual(callsOf({ tokens: 1024, batch: 3 }), {
    prefill: { batch: 3, tokens: 256, past: 384 },
    decode: { batch: 3, tokens: 1, past: 1023 },
  });
});

test('the lab predicts for this machine and others, and says which it does not know', async () => {
  const { ask, lab } = openLab();
  const wanted = { path: embedded('tiny-llama'), tokens: 64, batch: 1 };
  const [first, ...others] = await ask('fit/machines', {});
  assert.equal(first?.id, 'here');
  assert.equal(others.length, presets.length);
  const here = await ask('fit/predict', { ...wanted, machine: 'here' });
  assert.ok(here.machine.measured && here.memory.available && here.memory.available > 0);
  assert.ok((await ask('fit/machines', {}))[0]?.measured);
  assert.equal((await ask('fit/predict', { ...wanted, machine: 'a100-80' })).machine.name, preset('a100-80').name);
  await assert.rejects(ask('fit/predict', { ...wanted, machine: 'abacus' }), code('MACHINE_UNKNOWN'));
  const { parts } = await ask('fit/measure', wanted);
  assert.equal(parts.length, here.decode.parts.length);
  await lab.dispose();
});
