import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { buildSegment } from '../../server/graph/segment.js';
import { Run } from '../../server/runtime/run.js';
import { sliceAxis } from '../../server/runtime/slices.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures } from './oracle.js';
import { assertSame, open, someIds } from './reference.js';

const [more, inferred] = ['../oracles_more', '../oracles_inferred'];
/** One of each kind of state: all keys kept, a window, both, each recurrence. */
const families = [
  'gpt2',
  'llama',
  `${more}/mistral_window`,
  `${more}/qwen2_slide`,
  'gemma3_text',
  'mamba',
  'rwkv7',
  'falcon_h1',
  'zamba2',
  'recurrent_gemma',
  'xlstm',
  'rwkv4',
  `${more}/ttt_linear_odd`,
  `${more}/ttt_mlp_odd`,
  `${more}/megalodon_odd`,
  `${more}/nsa_odd`,
  `${more}/nsa_wide`,
  `${inferred}/olmo3`,
  `${inferred}/qwen2_moe`,
];
const long = families.filter((name) => name !== 'gpt2');

/** Attention reads five queries at a time: steps take the way of few tokens, prefill that of many. */
const ofFamily = (name: string) => open(path.resolve(fixtures, name), { blocksPerPiece: 1, queries: 5 });

for (const family of families)
  test(`${path.basename(family)}: prefill of T tokens is T decode steps, and any parts between`, async () => {
    const { device, model, run } = await ofFamily(family);
    const ids = someIds(23, model.bound.config.vocab);
    await run.prefill(ids);
    const stepped = await Run.create(model);
    for (const [t, id] of ids.entries()) {
      const logits = await stepped.decode(id);
      const shape = [logits.length];
      assertClose(`logits at ${t}`, { shape, data: logits }, { shape, data: await run.logits({ from: t, to: t + 1 }) });
    }
    await assertSame(stepped, run);
    const parts = await Run.create(model);
    await parts.prefill(ids.slice(0, 9));
    await parts.decode(ids[9] as number);
    await parts.prefill(ids.slice(10, 11));
    await parts.prefill(ids.slice(11));
    await assertSame(parts, run);
    await device.close();
  });

const rowProbes = (run: Run, block: number): string[] =>
  run.model.rowStates(block).map((name) => `blocks.${block}.state.${name}`);

/** Probes of a block that are not the rows it keeps. */
const byToken = (run: Run, block: number): readonly string[] =>
  buildSegment(run.model.bound, { from: block, to: block + 1, embed: false, head: false }).declared.filter(
    (name) => !rowProbes(run, block).includes(name),
  );

for (const family of long)
  test(`${path.basename(family)}: probes of a range are that slice of the whole, across chunks and after decoding`, async () => {
    const { device, model, run } = await ofFamily(family);
    const ids = someIds(600, model.bound.config.vocab);
    await run.prefill(ids.slice(0, 300));
    for (const id of ids.slice(300, 303)) await run.decode(id);
    await run.prefill(ids.slice(303));
    const T = ids.length;
    if (run.recurrent) assert.ok(run.snapshots.length >= 2, 'there are snapshots to start from');
    const last = model.layers.length - 1;
    const names = byToken(run, last);
    const whole = await run.probes(names);
    for (const range of [
      { from: 0, to: 5 },
      { from: 250, to: 262 },
      { from: 301, to: 302 },
      { from: 590, to: T },
    ]) {
      const part = await run.probes(names, { range });
      for (const name of names) {
        const tensor = whole.get(name) as Tensor;
        const axis = tensor.shape.indexOf(T);
        const rows = axis < 0 ? tensor : sliceAxis(tensor, axis, range.from, range.to); // some are the same at every token
        const actual = part.get(name) as Tensor;
        // scores and patterns have keys up to the end of the range only
        // and so have blocks of keys, fewer than keys
        const width = rows.shape.at(-1) as number;
        const keys = /\.(scores|pattern|importance|selected)$/.test(name)
          ? Math.min(width, actual.shape.at(-1) as number)
          : width;
        if (name.endsWith('attn.pattern')) assert.equal(keys, range.to);
        assertClose(`${name} ${range.from}…`, actual, sliceAxis(rows, rows.shape.length - 1, 0, keys));
      }
    }
    await device.close();
  });

const attending = long.filter((name) => !/^(mamba|rwkv4|rwkv7|xlstm|ttt.*)$/.test(path.basename(name)));
for (const family of attending)
  test(`${path.basename(family)}: keys and values at the end of a range are those of a run that ended there`, async () => {
    const { device, model, run } = await ofFamily(family);
    const ids = someIds(290, model.bound.config.vocab);
    await run.prefill(ids);
    for (const to of [3, 270]) {
      const shorter = await Run.create(model);
      await shorter.prefill(ids.slice(0, to));
      for (let i = 0; i < model.layers.length; i++) {
        const names = rowProbes(run, i);
        if (names.length === 0) continue;
        const [mine, live] = [
          await run.probes(names, { range: { from: to - 1, to } }),
          await device.read(names.map((name) => shorter.key + name)),
        ];
        for (const name of names) {
          const { dims, data } = live.get(shorter.key + name) as { dims: readonly number[]; data: Float32Array };
          assertClose(`${name} at ${to}`, mine.get(name) as Tensor, { shape: dims, data });
        }
      }
    }
    await device.close();
  });

for (const family of ['llama', 'gemma3_text', 'mamba', 'rwkv7'])
  test(`${path.basename(family)}: a prefill cancelled between blocks leaves a run that goes on as if it had not been`, async () => {
    const { device, model } = await ofFamily(family);
    const ids = someIds(530, model.bound.config.vocab);
    const straight = await Run.create(model);
    await straight.prefill(ids);
    for (const stop of [1, 2, 3, 4, 5]) {
      const run = await Run.create(model);
      await run.prefill(ids.slice(0, 4));
      const controller = new AbortController();
      let steps = 0;
      const onProgress = () => ++steps === stop && controller.abort();
      await assert.rejects(run.prefill(ids.slice(4), { signal: controller.signal, onProgress }), { code: 'CANCELLED' });
      assert.equal(run.ids.length < ids.length, true);
      await run.prefill(ids.slice(run.ids.length));
      await assertSame(run, straight);
    }
    await device.close();
  });

test('a cancelled decode leaves a run that goes on as if it had not been', async () => {
  const { device, model, run } = await ofFamily('rwkv7');
  const ids = someIds(6, model.bound.config.vocab);
  await run.prefill(ids);
  const cut = await Run.create(model);
  await cut.prefill(ids.slice(0, 5));
  let asked = 0;
  // aborted from the second look on: in the middle of the chain
  const signal = {
    get aborted() {
      return ++asked > 2;
    },
  } as AbortSignal;
  await assert.rejects(cut.decode(ids[5] as number, signal), { code: 'CANCELLED' });
  await cut.decode(ids[5] as number);
  await assertSame(cut, run);
  await device.close();
});

test('a model of learned positions refuses the first token beyond them', async () => {
  const { device, model, run } = await ofFamily(`${more}/gpt2_bare`);
  await run.prefill(someIds(48, model.bound.config.vocab));
  await assert.rejects(run.decode(3), { code: 'CONTEXT_FULL' });
  await device.close();
});
