import path from 'node:path';
import { test } from 'node:test';
import { fixtures, readOracle } from './oracle.js';
import { assertDecode, assertRun, idsOf, open } from './reference.js';

/** transformers records the residual stream of these behind each block, not before it, and has no embedding among them. */
const recordedBehind = new Set(['mamba', 'falcon_mamba', 'mamba2', 'rwkv4']);

for (const family of [
  'gpt2',
  'llama',
  'llama_yarn',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma3_text',
  'gemma2',
  'gpt_neox',
  'phi3',
  'glm',
  'glm4',
  'mixtral',
  'qwen3_moe',
  'gpt_oss',
  'deepseek_v2',
  'deepseek_v3',
  'mamba',
  'falcon_mamba',
  'mamba2',
  'rwkv4',
  'rwkv7',
  'jamba',
  'recurrent_gemma',
  'falcon_h1',
  'qwen3_next',
  'zamba2',
  'xlstm',
])
  test(`${family} equals the reference`, async () => {
    const { device, run } = await open(path.join(fixtures, family));
    const oracle = await readOracle(family);
    await run.prefill(idsOf(oracle));
    await assertRun(run, oracle, recordedBehind.has(family) ? 'resid_post' : 'resid_pre');
    await assertDecode(run, oracle);
    await device.close();
  });
