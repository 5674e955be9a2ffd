import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import { Model } from '../../server/runtime/model.js';
import { patch } from '../../server/runtime/patch.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle, readTensors } from './oracle.js';

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

test('rwkv7: learning rates and first values that are changed are those that keys and later layers see, as with weights that say the same', async () => {
  const { device, run, ids } = await started('rwkv7');
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-test-'));
  try {
    await cp(path.join(fixtures, 'rwkv7'), folder, { recursive: true });
    const weights = await readTensors(path.join(folder, 'model.safetensors'));
    const change = (name: string, to: (x: number) => number) => {
      const { shape, data } = weights.get(`model.layers.${name}`) as Tensor;
      weights.set(`model.layers.${name}`, { shape, data: data.map(to) });
    };
    change('0.attn.v_proj.weight', (x) => 1.5 * x);
    for (const layer of [0, 1]) {
      change(`${layer}.attn.a_lora.lora.2.weight`, () => 0);
      change(`${layer}.attn.a_lora.lora.2.bias`, () => Math.log(0.3 / 0.7));
    }
    await writeSafetensors(path.join(folder, 'model.safetensors'), weights);
    const says = await Run.create(await Model.open(await openCheckpoint(folder), { device, threads: 1 }));
    await says.prefill(ids);
    const rates = [0, 1].map((i) => ({
      probe: `blocks.${i}.time_mix.a`,
      scale: fill([1, 1, 1], 0),
      shift: fill([1, 1, 1], 0.3),
    }));
    const values = { probe: 'blocks.0.time_mix.v', scale: fill([1, 1, 1], 1.5), shift: fill([1, 1, 1], 0) };
    assertClose('logits', await patch(run, [...rates, values]), (await says.probes(['logits'])).get('logits') as Tensor);
  } finally {
    await device.close();
    await rm(folder, { recursive: true });
  }
});

test('an unknown place to intervene is refused', async () => {
  const { device, run } = await started('llama');
  const change = { probe: 'blocks.1.attn.nothing', scale: fill([1], 0), shift: fill([1], 0) };
  await assert.rejects(patch(run, [change]), { code: 'PROBE_UNKNOWN' });
  await device.close();
});
