// Runs reference models on the provider named first, in a process of its own: `onProvider.ts webgpu llama mamba …`. A JSON line a model.
import path from 'node:path';
import type { Rows } from '../../../server/runtime/rows.js';
import { Run } from '../../../server/runtime/run.js';
import type { Tensor } from '../../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from '../oracle.js';
import { assertDecode, assertRun, idsOf, open, recordedBehind } from '../reference.js';

/** States read back from the provider after 256 tokens lead to the residual stream that was captured. */
async function assertSnapshots(run: Run, ids: readonly number[]): Promise<void> {
  const [from, to] = [270, 288];
  if (!run.recurrent) return;
  await run.prefill(Array.from({ length: to }, (_, i) => ids[(i * 5) % ids.length] as number));
  const name = 'blocks.0.resid_post';
  const again = (await run.probes([name], { range: { from, to } })).get(name) as Tensor;
  assertClose(name, again, { shape: again.shape, data: (run.resid[1] as Rows).slice(from, to) });
}

const [provider = 'cpu', ...families] = process.argv.slice(2);
for (const family of families) {
  let error: string | null = null;
  try {
    const { device, model, run } = await open(path.join(fixtures, family), { provider });
    const oracle = await readOracle(family);
    await run.prefill(idsOf(oracle));
    await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
    await assertDecode(run, oracle);
    await assertSnapshots(await Run.create(model), idsOf(oracle));
    await model.close();
    await device.close();
  } catch (thrown) {
    error = String(thrown instanceof Error ? thrown.message : thrown);
  }
  console.log(JSON.stringify({ family, error }));
}
