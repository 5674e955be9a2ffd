// Runs reference models on the provider named first, in a process of its own: `onProvider.ts webgpu llama mamba …`. A JSON line a model.
import path from 'node:path';
import { fixtures, readOracle } from './oracle.js';
import { assertDecode, assertRun, idsOf, open, recordedBehind } from './reference.js';

const [provider = 'cpu', ...families] = process.argv.slice(2);
for (const family of families) {
  let error: string | null = null;
  try {
    const { device, model, run } = await open(path.join(fixtures, family), { provider });
    const oracle = await readOracle(family);
    await run.prefill(idsOf(oracle));
    await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
    await assertDecode(run, oracle);
    await model.close();
    await device.close();
  } catch (thrown) {
    error = String(thrown instanceof Error ? thrown.message : thrown);
  }
  console.log(JSON.stringify({ family, error }));
}
