import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { OutlinedRows } from '../../server/runtime/attentionRows.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';

/** What looking at attention leaves on the device: keys where the live state does not hold what is multiplied, and nothing behind a dropped run. */

const device = new LocalDevice();
after(() => device.close());
const TOKENS = 300;

/** Top and total of every row, and the largest weight of each cell of 64 keys. */
async function read(run: Run, layer: number): Promise<number[]> {
  const values: number[] = [];
  const visit = ({ max, norms }: OutlinedRows) => values.push(...max, ...norms.top, ...norms.total);
  const rows = { from: 0, to: run.ids.length };
  await run.attention(layer)?.outline({ rows, heads: { from: 0, to: 1 }, pool: 64 }, visit);
  return values;
}

for (const [name, makesKeys] of [
  ['oracles_more/llama_one_head', false],
  ['oracles_more/mistral_window', true],
  ['oracles_more/deepseek_v2_groups', true],
] as const)
  test(`${path.basename(name)}: a dropped run leaves no keys behind, and its attention is read again as it was`, async () => {
    const model = await Model.open(await openCheckpoint(path.resolve(import.meta.dirname, '../fixtures', name)), {
      device,
      threads: 1,
    });
    const vocab = Math.min(model.bound.config.vocab, 97);
    const run = await Run.create(model);
    await run.prefill(Array.from({ length: TOKENS }, (_, i) => (i * 7919) % vocab));
    const state = await run.stateBytes();
    const before = await read(run, 0);
    assert.ok(before.length > 2 * TOKENS);
    const keys = (await run.stateBytes()) - state;
    const { heads, size } = keysOf(model);
    // room for keys grows in steps, so that at most twice of them is held
    if (makesKeys) assert.ok(keys >= 4 * TOKENS * heads * size && keys <= 8 * (TOKENS + 256) * heads * size, `${keys} bytes`);
    else assert.equal(keys, 0);
    await run.drop();
    assert.equal(await run.stateBytes(), 0);
    await run.restore();
    const again = await read(run, 0);
    assert.equal(again.length, before.length);
    for (const [i, value] of before.entries())
      assert.ok(
        Math.abs((again[i] as number) - value) <= 1e-4 * Math.max(1, Math.abs(value)),
        `${i}: ${again[i]}, before ${value}`,
      );
    await run.close();
    await model.close();
  });

/** Heads of what is multiplied, and the size of a key. */
function keysOf({ layers }: Model): { readonly heads: number; readonly size: number } {
  const spec = layers[0]?.attention;
  assert.ok(spec);
  return spec.latent === undefined ? { heads: spec.kvHeads, size: spec.headDim } : { heads: 1, size: spec.latent };
}
