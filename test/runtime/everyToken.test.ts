import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { LabError } from '../../server/protocol/errors.js';
import { everyLogits, everyState, isEveryState } from '../../server/runtime/everyToken.js';
import type { TokenRange } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures } from '../parity/oracle.js';
import { open, probe, someIds } from '../parity/reference.js';

const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-states-'));

for (const family of ['mamba', 'rwkv7', 'falcon_h1', 'xlstm'])
  test(`${family}: states after every token are written as they are computed, and are those of one piece`, async () => {
    const { device, model, run } = await open(path.join(fixtures, family));
    await run.prefill(someIds(600, model.bound.config.vocab));
    const asked: number[] = [];
    const read = async (name: string, range: TokenRange) => {
      asked.push(range.to - range.from);
      return (await run.probes([name], { range })).get(name) as Tensor;
    };
    const names = model.layers[1]?.state.map(({ name }) => `blocks.1.state.${name}`) ?? [];
    const streamed = names.filter((name) => isEveryState(name, model.layers));
    assert.equal(streamed.length, model.layers[1]?.state.filter(({ kind }) => kind !== 'kv').length);
    const range = { from: 100, to: 590 };
    const file = path.join(folder, `${family}.safetensors`);
    const tensors = await Promise.all(streamed.map(async (name) => [name, await everyState(read, name, range)] as const));
    await writeSafetensors(file, new Map(tensors));
    assert.ok(Math.max(...asked) <= 256);
    const saved = await openCheckpoint(file);
    for (const name of streamed) {
      const entry = saved.tensors.get(name);
      assert.ok(entry);
      const whole = await probe(run, name);
      const size = whole.data.length / 600;
      const expected = { shape: [490, ...whole.shape.slice(1)], data: whole.data.slice(100 * size, 590 * size) };
      assertClose(name, { shape: entry.shape, data: await readTensor(saved, entry) }, expected, 1e-5);
    }
    await device.close();
  });

test('logits after every token are computed a few rows at a time, and are those of one piece', async () => {
  const { device, run } = await open(path.join(fixtures, 'mamba'));
  await run.prefill(someIds(150, run.vocab));
  const { shape, parts } = everyLogits(run, { from: 10, to: 150 });
  assert.deepEqual(shape, [140, run.vocab]);
  const rows: number[] = [];
  const values: number[] = [];
  for await (const part of parts()) {
    rows.push(part.length / run.vocab);
    values.push(...part);
  }
  assert.deepEqual(rows, [64, 64, 12]);
  const whole = await run.logits({ from: 10, to: 150 });
  assertClose('logits', { shape, data: Float32Array.from(values) }, { shape, data: whole }, 1e-5);
  await device.close();
});

test('a tensor that ends early or with an error leaves no file', async () => {
  const before = readdirSync(folder);
  const file = path.join(folder, 'none.safetensors');
  const tensor = (parts: () => AsyncIterable<Float32Array>) => new Map([['x', { dtype: 'F32', shape: [4], parts } as const]]);
  async function* short() {
    yield Float32Array.of(1, 2, 3);
  }
  // biome-ignore lint/correctness/useYield: it ends before its first part
  async function* failing(): AsyncGenerator<Float32Array> {
    throw new LabError({ code: 'CANCELLED', message: 'Cancelled.', hint: '' });
  }
  await assert.rejects(writeSafetensors(file, tensor(short)), { code: 'SIZE_MISMATCH' });
  await assert.rejects(writeSafetensors(file, tensor(failing)), { code: 'CANCELLED' });
  assert.deepEqual(readdirSync(folder), before);
});
