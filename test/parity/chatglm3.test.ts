import path from 'node:path';
import { test } from 'node:test';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';
import { idsOf, open, probe } from './reference.js';

/** Its reference was written from the published code, in names of its own; the last hidden state is the one before the final norm. */
test('chatglm3 equals the reference', async () => {
  const { device, run } = await open(path.join(fixtures, 'chatglm3'));
  const oracle = await readOracle('chatglm3');
  await run.prefill(idsOf(oracle));
  const expect = async (key: string, name: string) => assertClose(key, await probe(run, name), oracle.get(key) as Tensor);
  for (let i = 0; i < 2; i++) {
    await expect(`hidden.${i}`, `blocks.${i}.resid_pre`);
    await expect(`hidden.${i + 1}`, `blocks.${i}.resid_post`);
    await expect(`layer.${i}.attn`, `blocks.${i}.attn.pattern`);
    for (const state of ['k', 'v']) await expect(`layer.${i}.${state}`, `blocks.${i}.state.${state}`);
  }
  await expect('logits', 'logits');
  await device.close();
});
