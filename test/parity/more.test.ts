import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Run } from '../../server/runtime/run.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, readOracle } from './oracle.js';
import { assertDecode, assertRun, idsOf, open } from './reference.js';

/** Other sizes, spellings and dtypes than the fixtures the engine was written against; made by fixtures/make_oracles.py. */
const folder = path.resolve(import.meta.dirname, '../fixtures/oracles_more');

/** More tokens than one chunk, against one forward of the reference. */
async function assertLong(run: Run, oracle: ReadonlyMap<string, Tensor>): Promise<void> {
  const expected = oracle.get('long.logits') as Tensor;
  await run.prefill(idsOf(oracle, 'long.input_ids'));
  const to = run.ids.length;
  const data = await run.logits({ from: to - (expected.shape[0] as number), to });
  assertClose('long.logits', { shape: expected.shape, data }, expected);
}

for (const name of readdirSync(folder))
  test(`${name} equals the reference`, async () => {
    const { device, model, run } = await open(path.join(folder, name));
    try {
      const oracle = await readOracle(path.join(folder, name));
      await run.prefill(idsOf(oracle));
      await assertRun(run, oracle);
      await assertDecode(run, oracle);
      if (oracle.has('long.logits')) await assertLong(await Run.create(model), oracle);
    } finally {
      await device.close();
    }
  });
