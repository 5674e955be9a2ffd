import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { handlers } from '../../server/handlers.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { code } from '../code.js';
import { embedded, type OpenLab, openLab, recipe } from './harness.js';

const labs: OpenLab[] = [];
const lab = (options: Parameters<typeof openLab>[0] = {}): OpenLab => {
  const opened = openLab(options);
  labs.push(opened);
  return opened;
};
after(async () => {
  for (const { lab: each } of labs) await each.dispose();
});

const llama = embedded('tiny-llama');
const ids = (n: number, seed = 0) => Array.from({ length: n }, (_, i) => 20 + ((i * i * 7 + i * 31 + seed * 97) % 400));

/** What a person reads of the tokens, without their texts. */
function assertTokens(actual: RunDetail, expected: RunDetail): void {
  assert.equal(actual.tokens, expected.tokens);
  for (const [t, token] of expected.tokenInfos.entries()) {
    const found = actual.tokenInfos[t];
    assert.ok(found);
    assert.deepEqual(
      [found.id, found.role, found.rank, found.start, found.end],
      [token.id, token.role, token.rank, token.start, token.end],
    );
    for (const key of ['probability', 'surprisal', 'entropy'] as const)
      assert.ok(
        Math.abs((found[key] ?? 0) - (token[key] ?? 0)) < 1e-4,
        `${key} of token ${t}: ${found[key]} instead of ${token[key]}`,
      );
  }
  assert.ok(Math.abs((actual.loss ?? 0) - (expected.loss ?? 0)) < 1e-5);
}

for (const name of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'])
  test(`${name}: a prompt that begins like another's is not read again, and says the same`, async () => {
    const [reusing, plain] = [lab(), lab()];
    const first = await reusing.run({ path: embedded(name), ids: ids(400), maxTokens: 2 });
    assert.equal(first.reused, 0);
    const prompt = [...ids(390), ...ids(12, 5)];
    const [next, alone] = [
      await reusing.run({ path: embedded(name), ids: prompt, maxTokens: 4 }),
      await plain.run({ path: embedded(name), ids: prompt, maxTokens: 4 }),
    ];
    // a recurrence knows its state at every 256th token
    assert.equal(next.reused, name === 'tiny-llama' ? 390 : 256);
    assert.equal(alone.reused, 0);
    assertTokens(next, alone);
    assert.deepEqual(
      next.next.map(({ id }) => id),
      alone.next.map(({ id }) => id),
    );
    const read = (of: OpenLab, { id }: RunDetail, probe: string) => of.ask('probe/read', { run: id, probe });
    for (const probe of ['blocks.1.resid_mid', 'blocks.1.resid_post']) {
      if (!reusing.lab.models.get(next.model).info.probes.includes(probe.replace('1', 'i'))) continue;
      const [mine, theirs] = [await read(reusing, next, probe), await read(plain, alone, probe)];
      for (const [i, value] of theirs.data.entries())
        assert.ok(Math.abs((mine.data[i] as number) - value) < 1e-4, `${probe} ${i}`);
    }
  });

test('the same prompt again is taken over whole, and text keeps its places', async () => {
  const it = lab();
  const prompt = 'Once upon a time there was a cat.';
  const first = await it.run({ path: llama, prompt, maxTokens: 3 });
  const again = await it.run({ path: llama, prompt, maxTokens: 3 });
  assert.equal(again.reused, again.promptTokens);
  assertTokens(again, first);
  const branch = await it.over(await it.ask('runs/branch', { run: first.id, token: 5, id: 60 }));
  assert.equal(branch.reused, 5);
});

test('runs beyond the budget keep their tokens, and are computed again when somebody looks', async () => {
  const it = lab({ runsMemory: 1 });
  const answer = handlers(it.lab);
  const first = await it.run({ path: llama, ids: ids(300), maxTokens: 3 });
  const map = { layer: 1, head: 2, query: 299 };
  const before = await it.ask('attention/row', { run: first.id, ...map });
  const second = await it.run({ path: llama, ids: ids(300, 3), maxTokens: 3 });
  const info = (run: RunDetail) => it.lab.runs.get(run.id).info;
  assert.deepEqual([info(first).dropped, info(second).dropped], [true, false]);
  assert.deepEqual([info(first).memory, info(first).tokens], [0, 303]);
  assert.equal(await it.lab.device.stateBytes('run1/'), 0);
  const told: string[] = [];
  const context = { signal: new AbortController().signal, progress: (_: number, __: number, what: string) => told.push(what) };
  // not in the cache: an other layer
  const deep = { run: first.id, layer: 2, head: 0, query: 250 };
  const [row, twice] = await Promise.all([answer['attention/row'](deep, context), answer['attention/row'](deep, context)]);
  assert.match(told[0] as string, /Running the 303 tokens of this run again/);
  assert.deepEqual(row.weights.data, twice.weights.data);
  const plain = lab();
  const alone = await plain.run({ path: llama, ids: ids(300), maxTokens: 3 });
  const expected = await plain.ask('attention/row', { ...deep, run: alone.id });
  for (const [i, weight] of expected.weights.data.entries()) assert.ok(Math.abs((row.weights.data[i] as number) - weight) < 1e-5);
  assert.deepEqual([info(first).dropped, info(second).dropped], [false, true]);
  const after = await it.ask('attention/row', { run: first.id, ...map });
  for (const [i, weight] of before.weights.data.entries()) assert.ok(Math.abs((after.weights.data[i] as number) - weight) < 1e-5);
  assertTokens(await it.ask('runs/get', { run: first.id }), alone);
});

test('the map of a run that was dropped is let go of, and drawn again as it was', async () => {
  const it = lab({ runsMemory: 1 });
  const answer = handlers(it.lab);
  const told: string[] = [];
  const context = { signal: new AbortController().signal, progress: (_: number, __: number, what: string) => told.push(what) };
  const first = await it.run({ path: llama, ids: ids(700) });
  const map = { run: first.id, layer: 1, head: 2, count: 700, row: 0, col: 0, pool: 'max' } as const;
  const looks = async () => {
    told.length = 0;
    const [whole, part] = [
      await answer['attention/tile']({ ...map, level: 2 }, context),
      await answer['attention/tile']({ ...map, level: 0 }, context),
    ];
    const { weights } = await answer['attention/column']({ ...map, key: 20 }, context);
    return { told: [...told], values: [whole.weights, part.weights, weights].map(({ data }) => data) };
  };
  const before = await looks();
  assert.ok(before.told.some((what) => what === 'attention of head 1.2'));
  assert.ok(!(await looks()).told.some((what) => what === 'attention of head 1.2'), 'it is kept while the run is');
  await it.run({ path: llama, ids: ids(40, 9) });
  assert.equal(it.lab.runs.get(first.id).dropped, true);
  const after = await looks();
  assert.ok(
    after.told.some((what) => what === 'attention of head 1.2'),
    'it is computed again',
  );
  for (const [i, values] of before.values.entries())
    for (const [at, value] of values.entries()) assert.ok(Math.abs((after.values[i]?.[at] as number) - value) < 1e-5);
});

test('computing a run again can be cancelled, and it can be removed, branched and exported while it is dropped', async () => {
  const it = lab({ runsMemory: 1 });
  const first = await it.run({ path: llama, ids: ids(600) });
  await it.run({ path: llama, ids: ids(40, 9) });
  const stop = new AbortController();
  const context = { signal: stop.signal, progress: () => stop.abort() };
  await assert.rejects(async () => handlers(it.lab)['attention/row']({ run: first.id, layer: 0, head: 0, query: 3 }, context), {
    code: 'CANCELLED',
  });
  assert.equal(it.lab.runs.get(first.id).dropped, true);
  const branch = await it.over(await it.ask('runs/branch', { run: first.id, token: 100, id: 50 }));
  assert.equal(branch.promptTokens, 101);
  await it.ask('runs/remove', { run: first.id });
  await assert.rejects(it.ask('attention/row', { run: first.id, layer: 0, head: 0, query: 3 }), code('RUN_UNKNOWN'));
});

test('with room for all nothing is dropped', async () => {
  const it = lab();
  const runs = [await it.run(recipe({ path: llama })), await it.run({ path: llama, ids: ids(30) })];
  assert.ok(runs.every(({ dropped, memory }) => !dropped && memory > 0));
});
