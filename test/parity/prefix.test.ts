import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { Run } from '../../server/runtime/run.js';
import { fixtures } from './oracle.js';
import { assertSame, open, someIds } from './reference.js';

const more = '../oracles_more';
/** One of each kind of state: every key kept, grouped, a latent, a window, chunks, compressed blocks, recurrences, and both. */
const families = [
  'gpt2',
  'llama',
  'deepseek_v2',
  `${more}/mistral_window`,
  `${more}/qwen2_slide`,
  'gemma3_text',
  `${more}/megalodon_odd`,
  'nsa',
  'mamba',
  'mamba2',
  'rwkv4',
  'rwkv7',
  'xlstm',
  `${more}/ttt_linear_odd`,
  `${more}/ttt_mlp_odd`,
  'falcon_h1',
  'zamba2',
  'qwen3_next',
  'recurrent_gemma',
];

/** What is taken over of so many tokens: all of them, unless a recurrence knows its state only at snapshots. */
const expected = (run: Run, tokens: number): number =>
  run.recurrent && tokens < run.ids.length
    ? Math.max(0, ...run.snapshots.map(({ at }) => at).filter((at) => at <= tokens))
    : tokens;

for (const family of families)
  test(`${path.basename(family)}: a run that begins with another's tokens is the run without`, async () => {
    const { device, model, run: first } = await open(path.resolve(fixtures, family));
    const { vocab, limit } = model.bound.config;
    const T = Math.min(limit ?? 600, 600);
    const ids = someIds(T, vocab);
    await first.prefill(ids.slice(0, T - 10));
    for (const id of ids.slice(T - 10, T - 5)) await first.decode(id);
    const checkpoints = (await first.probes(['blocks.0.resid_post'])).get('blocks.0.resid_post')?.data.slice();
    for (const shared of [7, Math.floor(T * 0.45), T - 12, T - 5]) {
      const next = [...ids.slice(0, shared), ...someIds(20, vocab).map((id) => (id + 11) % vocab)].slice(0, T - 1);
      const plain = await Run.create(model);
      await plain.prefill(next);
      const run = await Run.create(model, { of: first, tokens: shared, reach: next.length });
      assert.deepEqual(run.ids, next.slice(0, expected(first, shared)));
      await run.prefill(next.slice(run.ids.length));
      // cut elsewhere into chunks, so that sums are taken in another order
      await assertSame(run, plain, 3e-5);
      await run.close();
      await plain.close();
    }
    // what was lent is as it was
    assert.deepEqual((await first.probes(['blocks.0.resid_post'])).get('blocks.0.resid_post')?.data, checkpoints);
    await device.close();
  });

for (const family of ['llama', `${more}/mistral_window`, 'mamba', 'falcon_h1'])
  test(`${path.basename(family)}: a run that was dropped is computed again as it was, and goes on`, async () => {
    const { device, model, run } = await open(path.resolve(fixtures, family));
    const ids = someIds(530, model.bound.config.vocab);
    const straight = await Run.create(model);
    for (const each of [run, straight]) {
      await each.prefill(ids.slice(0, 500));
      for (const id of ids.slice(500, 505)) await each.decode(id);
    }
    const before = run.bytes + (await run.stateBytes());
    const heir = await Run.create(model, { of: run, tokens: 300, reach: 310 });
    await run.drop();
    assert.ok(before > 0 && run.dropped);
    assert.equal(run.bytes + (await run.stateBytes()), 0);
    assert.deepEqual(run.ids, straight.ids);
    assert.equal((await Run.create(model, { of: run, tokens: 300, reach: 310 })).ids.length, 0, 'nothing to begin with');
    const stop = new AbortController();
    const cancelling = { signal: stop.signal, onProgress: () => stop.abort() };
    await assert.rejects(run.restore(cancelling), { code: 'CANCELLED' });
    assert.ok(run.dropped && run.bytes === 0);
    const told: [number, number][] = [];
    await run.restore({ onProgress: (done, total) => told.push([done, total]) });
    assert.deepEqual(told.at(-1)?.[0], told.at(-1)?.[1]);
    await assertSame(run, straight, 1e-5);
    for (const each of [run, straight]) await each.decode(ids[505] as number);
    await assertSame(run, straight, 1e-5);
    // who began with it is not touched
    const plain = await Run.create(model);
    await plain.prefill(ids.slice(0, heir.ids.length));
    await assertSame(heir, plain, 1e-5);
    await device.close();
  });

test('a run that RoPE turns by its length takes tokens over from one of the same length only, unless both are short', async () => {
  const { device, model, run } = await open(path.resolve(fixtures, more, 'llama_dynamic_grown')); // 33 tokens
  const ids = someIds(60, model.bound.config.vocab);
  await run.prefill(ids.slice(0, 30));
  for (const [reach, taken] of [
    [33, 20],
    [34, 0],
  ] as const) {
    const heir = await Run.create(model, { of: run, tokens: 20, reach });
    assert.equal(heir.ids.length, taken);
    await heir.prefill(ids.slice(taken, reach));
    const plain = await Run.create(model);
    await plain.prefill(ids.slice(0, reach));
    await assertSame(heir, plain, 3e-5);
  }
  await device.close();
});
