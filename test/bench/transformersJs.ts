// GPT-2-small shape in fp32 against transformers.js, which runs on ONNX Runtime too: the same weights, exported from PyTorch with a cache.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Bench } from './lib/bench.js';
import { measureGeneration } from './lib/generation.js';
import { peersPython } from './lib/peers.mjs';
import { gpt2Small, gpt2Tensors } from './lib/shapes.js';

await Bench.on(gpt2Small, gpt2Tensors(gpt2Small), async (bench) => {
  const script = path.join(import.meta.dirname, 'exportOnnx.py');
  if (existsSync(peersPython))
    execFileSync(peersPython, [script, bench.path, path.join(bench.path, 'transformers.js')], { stdio: 'ignore' });
  await measureGeneration(bench, {
    id: 'transformers-js',
    shape: 'GPT-2-small shape (12 blocks, D 768), fp32',
    prompt: 512,
    contexts: [256],
    tokens: 16,
    rivals: { 'transformers.js': { library: '@huggingface/transformers' } },
  });
});
