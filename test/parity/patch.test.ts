import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Model } from '../../server/runtime/model.js';
import { patch } from '../../server/runtime/patch.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';

const fill = (shape: readonly number[], value: number): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(value),
});

async function started(family: string) {
  const device = new LocalDevice();
  const model = await Model.open(await openCheckpoint(path.join(fixtures, family)), { device, threads: 1 });
  const oracle = await readOracle(family);
  const run = await Run.create(model);
  const ids = [...(oracle.get('input_ids') as Tensor).data];
  await run.prefill(ids);
  return { device, model, run, oracle, ids };
}

for (const family of ['gpt2', 'gemma3_text', 'mamba', 'rwkv7'])
  test(`${family}: a patch that changes nothing changes nothing`, async () => {
    const { device, run, oracle } = await started(family);
    const D = run.model.bound.config.dModel;
    const nothing = { probe: 'blocks.0.resid_pre', scale: fill([1, D], 1), shift: fill([1, 1], 0) };
    assertClose('logits', await patch(run, [nothing]), oracle.get('logits') as Tensor);
    await device.close();
  });

for (const family of ['llama', 'mamba', 'rwkv7'])
  test(`${family}: the residual stream of another prompt, patched in, gives its logits`, async () => {
    const { device, model, run, ids } = await started(family);
    const other = await Run.create(model);
    const V = model.bound.config.vocab;
    await other.prefill(ids.map((id) => (id + 1) % V));
    const probe = 'blocks.1.resid_pre';
    const resid = (await other.probes([probe])).get(probe) as Tensor;
    const carries = [...run.carries.keys()].length > 0;
    const patched = await patch(run, [{ probe, scale: fill([1, 1], 0), shift: resid }]);
    const theirs = (await other.probes(['logits'])).get('logits') as Tensor;
    // v_first comes from block 0, so that a model with a carry keeps some of its own prompt
    if (carries) assert.ok(patched.data.some((x, i) => Math.abs(x - (theirs.data[i] as number)) > 1e-3));
    else assertClose('logits', patched, theirs);
    await device.close();
  });

test('rwkv7: values of block 0 patched there reach later blocks through the carry', async () => {
  const { device, model, run, ids } = await started('rwkv7');
  const other = await Run.create(model);
  await other.prefill(ids.map((id) => (id + 1) % model.bound.config.vocab));
  const probe = 'blocks.0.resid_pre';
  const resid = (await other.probes([probe])).get(probe) as Tensor;
  assertClose(
    'logits',
    await patch(run, [{ probe, scale: fill([1, 1], 0), shift: resid }]),
    (await other.probes(['logits'])).get('logits') as Tensor,
  );
  await device.close();
});

test('an unknown place to intervene is refused', async () => {
  const { device, run } = await started('llama');
  const change = { probe: 'blocks.1.attn.nothing', scale: fill([1], 0), shift: fill([1], 0) };
  await assert.rejects(patch(run, [change]), { code: 'PROBE_UNKNOWN' });
  await device.close();
});
