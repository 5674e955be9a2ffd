import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { ModelId } from '../../server/protocol/models.js';
import { norm } from '../../server/tensor/reduce.js';
import { code } from '../code.js';
import { embedded, openLab } from '../lab/harness.js';

/** The last row of a probe that was read whole, by another way. */
const lastRow = ({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }): number[] => {
  const size = shape.slice(1).reduce((n, d) => n * d, 1);
  return Array.from(data).slice(-size);
};

for (const model of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'])
  test(`values of ${model} at a token are those of the whole run`, async () => {
    const { ask, run, lab } = openLab();
    const { id, tokens } = await run({ path: embedded(model), prompt: 'Anna has the red kite.' });
    const token = tokens - 1;
    const quiet = { run: id, token };
    const { parts } = await ask('model/outline', { path: embedded(model) });
    const { values } = await ask('model/segment', { path: embedded(model), tower: '', part: 1, shown: 0, tokens: null });
    // values by their own names and the probes that name them too, so far as those have a row a token
    const named = values.filter(({ kind, probes, shape }) => kind === 'computed' && probes.length > 0 && shape[1] === 'T');
    assert.ok(named.length > 5);
    const names = named.map(({ name }) => `blocks.1.#${name}`);
    const { norms } = await ask('graph/norms', { ...quiet, probes: names });
    for (const [i, { name, probes }] of named.entries()) {
      const row = lastRow(await ask('probe/read', { run: id, probe: `blocks.1.${probes[0]}` }));
      const expected = norm(row);
      const { stats, picture, shape } = await ask('graph/value', { ...quiet, probe: `blocks.1.#${name}`, side: 16 });
      for (const actual of [norms.data[i] as number, stats.norm])
        assert.ok(Math.abs(actual - expected) <= 1e-4 * (1 + expected), `${probes[0]}: ${actual} instead of ${expected}`);
      assert.ok(Math.abs(stats.max - Math.max(...row)) < 1e-4 && Math.abs(stats.min - Math.min(...row)) < 1e-4);
      assert.ok(Math.abs(stats.mean - row.reduce((a, b) => a + b, 0) / row.length) < 1e-4);
      assert.equal(shape[0], 1);
      assert.equal(stats.count, row.length);
      const largest = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      assert.ok(Math.abs(picture.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0) - largest) < 1e-4);
      assert.ok((picture.shape[0] as number) <= 16 && (picture.shape[1] as number) <= 16);
    }
    // sizes of the whole run are those that its probes have
    const live = await ask('model/segment', { path: embedded(model), tower: '', part: 1, shown: 0, tokens });
    for (const { name, probes, shape } of live.values.filter((value) => named.some(({ name }) => name === value.name)))
      assert.deepEqual(
        shape,
        (await ask('probe/read', { run: id, probe: `blocks.1.${probes[0]}` })).shape,
        `${probes[0]} ${name}`,
      );
    const flow = await ask('graph/flow', quiet);
    assert.equal(flow.norms.data.length, parts.length - 1);
    const resid = lastRow(await ask('probe/read', { run: id, probe: 'blocks.1.resid_pre' }));
    assert.ok(Math.abs((flow.norms.data[1] as number) - norm(resid)) < 1e-4);
    const ends = await ask('graph/value', { ...quiet, probe: 'logits', side: 4 });
    assert.equal(ends.stats.count, (await ask('models/list', {}))[0]?.vocabSize);
    await lab.dispose();
  });

test('values that are not there and tokens that do not exist are coded errors', async () => {
  const { ask, run, lab } = openLab();
  const { id } = await run({ path: embedded('tiny-llama') });
  const one = { run: id, token: 0, side: 8 };
  await assert.rejects(ask('graph/value', { ...one, probe: 'blocks.0.#nothing' }), code('PROBE_UNKNOWN'));
  await assert.rejects(ask('graph/value', { ...one, token: 999, probe: 'blocks.0.ln1' }), code('TOKEN_UNKNOWN'));
  await assert.rejects(
    ask('model/segment', { path: embedded('tiny-llama'), tower: '', part: 99, shown: 0, tokens: null }),
    code('PART_UNKNOWN'),
  );
  await assert.rejects(
    ask('model/segment', { path: embedded('tiny-llama'), tower: 'vision', part: 0, shown: 0, tokens: null }),
    code('PART_UNKNOWN'),
  );
  await lab.dispose();
});

test('the numbers of the walkthrough are those of the example', async () => {
  const media = path.resolve(import.meta.dirname, '../../media');
  const text = readFileSync(path.join(media, 'walkthrough/example.md'), 'utf8');
  const { ask, run, lab } = openLab();
  const { id, tokens } = await run({ path: path.join(media, 'examples/tiny-chatglm3'), prompt: '你好' });
  const model = (await ask('models/list', {}))[0]?.id as ModelId;
  const { pieces } = await ask('tokens/encode', { model, text: '你好', chat: false });
  assert.ok(text.includes(`| Ids | ${pieces.map((piece) => piece.id).join(', ')} |`), 'ids');
  for (const probe of ['embed', ...[0, 1].flatMap((i) => [`blocks.${i}.resid_mid`, `blocks.${i}.resid_post`])]) {
    const { stats } = await ask('graph/value', { run: id, token: tokens - 1, probe, side: 4 });
    assert.ok(text.includes(stats.norm.toFixed(2)), `${probe}: ${stats.norm}`);
  }
  const logits = lastRow(await ask('probe/read', { run: id, probe: 'logits' }));
  const largest = Math.max(...logits);
  const likely = 1 / logits.reduce((sum, x) => sum + Math.exp(x - largest), 0);
  assert.ok(text.includes(`\`不\` (${logits.indexOf(largest)}) with ${(100 * likely).toFixed(1)} %`), `${likely}`);
  assert.ok(text.includes(`the largest is ${largest.toFixed(2)}`));
  await lab.dispose();
});
