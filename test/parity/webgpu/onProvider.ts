// Runs reference models on the provider named first, in a process of its own: `onProvider.ts webgpu llama mamba 'tiny-llama int4' …`; what says how it
// is computed is an embedded model. A JSON line a model.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { RunDtype } from '../../../server/protocol/models.js';
import { ReferenceLogits } from '../../../server/runtime/divergence.js';
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

async function assertReference(family: string, provider: string): Promise<void> {
  const folder = path.join(fixtures, family);
  const file = path.join(folder, 'model.gguf');
  const { device, model, run } = await open(existsSync(file) ? file : folder, { provider });
  const oracle = await readOracle(family);
  await run.prefill(idsOf(oracle));
  await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
  await assertDecode(run, oracle);
  await assertSnapshots(await Run.create(model), idsOf(oracle));
  await model.close();
  await device.close();
}

/** Nats a token from fp32 on the processor, of tokens that were read at once and of the same ones by one; they differ by how activations are rounded. */
const FAR: Readonly<Record<RunDtype, number>> = { own: 1e-8, fp32: 1e-8, int8: 0.02, int4: 0.6 };
const TOKENS = 12;

async function assertNear(name: string, dtype: RunDtype, provider: string): Promise<void> {
  const file = path.resolve(import.meta.dirname, '../../../media/models', name);
  const ids = Array.from({ length: TOKENS }, (_, i) => 3 + ((i * i * 31 + i * 17) % 900));
  const exact = await open(file, { dtype: 'fp32' });
  await exact.run.prefill(ids);
  const reference = await ReferenceLogits.of(exact.run);
  await exact.device.close();
  const { device, model, run } = await open(file, { provider, dtype });
  await run.prefill(ids);
  const stepped = await Run.create(model);
  await stepped.prefill(ids.slice(0, -2));
  for (const id of ids.slice(-2)) await stepped.decode(id);
  for (const each of [run, stepped]) {
    const { mean } = await reference.divergence(each);
    assert.ok(mean < FAR[dtype] && (dtype === 'own' || mean > 0), `${mean} nats a token from fp32`);
  }
  await reference.remove();
  await model.close();
  await device.close();
}

const [provider = 'cpu', ...subjects] = process.argv.slice(2);
for (const subject of subjects) {
  const [name, dtype] = subject.split(' ') as [string, RunDtype?];
  let error: string | null = null;
  try {
    if (dtype) await assertNear(name, dtype, provider);
    else await assertReference(name, provider);
  } catch (thrown) {
    error = String(thrown instanceof Error ? thrown.message : thrown);
  }
  console.log(JSON.stringify({ family: subject, error }));
}
