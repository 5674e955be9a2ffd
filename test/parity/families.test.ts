import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { argmax } from '../../server/runtime/sampler.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';

const families = ['gpt2', 'llama', 'llama_yarn', 'mistral', 'qwen2', 'qwen3', 'gemma3_text', 'mamba', 'rwkv7'];
const stateNames: Record<string, string> = { recurrent_state: 'wkv', attention_shift: 'att_shift', ffn_shift: 'ffn_shift' };

/** The oracle's recurrent_state is [T,H,E_key,E_value]; ours is [T,H,E_value,E_key]. */
function transposed({ shape, data }: Tensor): Tensor {
  const [rows, cols] = shape.slice(-2) as [number, number];
  const out = new Float32Array(data.length);
  for (let m = 0; m < data.length; m += rows * cols)
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[m + c * rows + r] = data[m + r * cols + c] as number;
  return { shape: [...shape.slice(0, -2), cols, rows], data: out };
}

/** Oracle key → what we compute, in graph order, so that the first failure is where the divergence begins. */
async function check(run: Run, oracle: Map<string, Tensor>): Promise<void> {
  const L = run.model.layers.length;
  const one = async (name: string) => (await run.probes([name])).get(name) as Tensor;
  // transformers records Mamba's hidden states behind each block, every other family's before it
  const hidden = run.model.bound.architecture.id === 'mamba' ? 'resid_post' : 'resid_pre';
  for (let i = 0; i < L; i++) {
    assertClose(`hidden.${i}`, await one(`blocks.${i}.${hidden}`), oracle.get(`hidden.${i}`) as Tensor);
    for (const [key, expected] of oracle) {
      const [kind, layer, name] = key.split('.') as [string, string, string];
      if (Number(layer) !== i) continue;
      if (kind === 'attn') assertClose(key, await one(`blocks.${i}.attn.pattern`), expected);
      if (kind === 'kv') assertClose(key, await one(`blocks.${i}.state.${name}`), expected);
      if (kind === 'statet')
        assertClose(
          key,
          await one(`blocks.${i}.state.${stateNames[name] ?? name}`),
          name === 'recurrent_state' ? transposed(expected) : expected,
        );
    }
  }
  assertClose(`hidden.${L}`, await one('ln_final'), oracle.get(`hidden.${L}`) as Tensor);
  assertClose('logits', await one('logits'), oracle.get('logits') as Tensor);
}

for (const family of families)
  test(`${family} equals the reference`, async () => {
    const device = new LocalDevice();
    const model = await Model.open(await openCheckpoint(path.join(fixtures, family)), { device, threads: 1 });
    const oracle = await readOracle(family);
    const ids = [...(oracle.get('input_ids') as Tensor).data];
    const run = await Run.create(model);
    await run.prefill(ids);
    await check(run, oracle);

    const decoded = [...(oracle.get('decode.ids') as Tensor).data];
    const expected = oracle.get('decode.logits') as Tensor;
    const V = expected.shape[1] as number;
    let next = argmax(await run.logits({ from: ids.length - 1, to: ids.length }));
    for (const [step, id] of decoded.entries()) {
      assert.equal(next, id, `greedy token ${step}`);
      const logits = await run.decode(id);
      assertClose(
        `decode.logits ${step}`,
        { shape: [V], data: logits },
        { shape: [V], data: expected.data.slice(step * V, (step + 1) * V) },
      );
      next = argmax(logits);
    }
    await device.close();
  });
