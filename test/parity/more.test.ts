import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Run } from '../../server/runtime/run.js';
import { readOracle } from './oracle.js';
import { assertDecode, assertLong, assertRun, idsOf, open } from './reference.js';

/** Other sizes, spellings and dtypes than the fixtures the engine was written against; made by fixtures/make_oracles.py. */
const folder = path.resolve(import.meta.dirname, '../fixtures/oracles_more');

/** Those of research.test.ts say more, and end before the final norm. */
const research = /^(ttt|megalodon|nsa)_/;

for (const name of readdirSync(folder).filter((name) => !research.test(name)))
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
