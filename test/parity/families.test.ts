import path from 'node:path';
import { test } from 'node:test';
import { fixtures, readOracle } from './oracle.js';
import { assertDecode, assertRun, families, idsOf, open, recordedBehind } from './reference.js';

for (const family of families)
  test(`${family} equals the reference`, async () => {
    const { device, run } = await open(path.join(fixtures, family));
    const oracle = await readOracle(family);
    await run.prefill(idsOf(oracle));
    await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
    await assertDecode(run, oracle);
    await device.close();
  });
