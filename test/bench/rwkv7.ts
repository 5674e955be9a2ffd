// RWKV-7-191M shape in fp32 against RWKV's own package, which runs PyTorch token by token: as it is written, and compiled by TorchScript.
import { Bench } from './lib/bench.js';
import { measureGeneration } from './lib/generation.js';
import { rwkv191m, rwkvTensors } from './lib/shapes.js';

await Bench.on(rwkv191m, rwkvTensors(rwkv191m), (bench) =>
  measureGeneration(bench, {
    id: 'rwkv7',
    shape: 'RWKV-7-191M shape (12 blocks, D 768, heads of 64), fp32',
    prompt: 512,
    contexts: [256],
    tokens: 16,
    rivals: {
      'pure torch (rwkv)': { library: 'rwkv', variables: { PYTORCH_JIT: '0' } },
      'TorchScript (rwkv)': { library: 'rwkv', variables: { PYTORCH_JIT: '1' } },
    },
  }),
);
