import path from 'node:path';
import { test } from 'node:test';
import { fixtures, readOracle } from './oracle.js';
import { assertDecode, assertRun, families, idsOf, open, recordedBehind } from './reference.js';

/** Families of attention in all its spellings: grouped heads, windows, soft caps, sinks, latents, hybrids. */
const attentive = families.filter((family) => !['mamba', 'falcon_mamba', 'mamba2', 'rwkv4', 'rwkv7', 'xlstm'].includes(family));

for (const family of attentive)
  test(`${family} equals the reference where queries are read in blocks, behind rows that are kept`, async () => {
    const { device, run } = await open(path.join(fixtures, family), { queries: 3 });
    const oracle = await readOracle(family);
    const ids = idsOf(oracle);
    // a part of less than a block, one that ends a block early, and the rest
    await run.prefill(ids.slice(0, 2));
    await run.prefill(ids.slice(2, 7));
    await run.prefill(ids.slice(7));
    await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
    await assertDecode(run, oracle);
    await device.close();
  });
