import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readOracle } from './oracle.js';
import { assertDecode, assertRun, idsOf, open } from './reference.js';

/** Other sizes, spellings and dtypes than the fixtures the engine was written against; made by fixtures/make_oracles.py. */
const folder = path.resolve(import.meta.dirname, '../fixtures/oracles_more');

for (const name of readdirSync(folder))
  test(`${name} equals the reference`, async () => {
    const { device, run } = await open(path.join(folder, name));
    try {
      const oracle = await readOracle(path.join(folder, name));
      await run.prefill(idsOf(oracle));
      await assertRun(run, oracle);
      await assertDecode(run, oracle);
    } finally {
      await device.close();
    }
  });
