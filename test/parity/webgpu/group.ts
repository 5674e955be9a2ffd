import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import { swiftShader } from '../../swiftShader.js';
import { families } from '../reference.js';

const experts = ['mixtral', 'qwen3_moe', 'gpt_oss', 'deepseek_v2', 'deepseek_v3'];
const recurrent = ['mamba', 'falcon_mamba', 'mamba2', 'rwkv4', 'rwkv7', 'xlstm'];
const hybrid = ['jamba', 'recurrent_gemma', 'falcon_h1', 'qwen3_next', 'zamba2'];
/** What weights are computed as: blocks of a file, half precision, what is rounded here. */
const dtypes = [
  'gguf_llama_q4_0',
  'gguf_llama_q8_0',
  'gguf_llama_f16',
  'tiny-llama own',
  'tiny-llama int8',
  'tiny-llama int4',
  'tiny-mamba int4',
  'tiny-rwkv7 int4',
];
/** A software renderer takes its time: each group is a file of tests of its own. */
const groups = {
  dtypes,
  experts,
  recurrent,
  hybrid,
  others: families.filter((family) => ![...experts, ...recurrent, ...hybrid].includes(family)),
};

/** References again on the WebGPU provider, over a software renderer: kernels it lacks are written another way, and the numbers are the same. */
export function onWebGpu(group: keyof typeof groups): void {
  const driver = swiftShader();
  const results = new Map<string, string | null>();
  before(async () => {
    if (!driver) return;
    const script = path.join(import.meta.dirname, 'onProvider.ts');
    // the driver is found when a process starts, so it gets one of its own
    const child = spawn(process.execPath, ['--import', 'tsx', script, 'webgpu', ...groups[group]], {
      env: { ...process.env, ...driver },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface(child.stdout)) {
      const { family, error } = JSON.parse(line);
      results.set(family, error);
    }
  });
  const skip = driver ? false : 'SwiftShader is at hand on linux-x64 only';
  for (const family of groups[group])
    test(`${family} equals the reference on WebGPU`, { skip }, () => assert.equal(results.get(family), null));
}
