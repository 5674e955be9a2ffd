// Mamba-130M shape in fp32 against transformers, whose path on a CPU is sequential PyTorch.
import { Bench } from './lib/bench.js';
import { measureGeneration } from './lib/generation.js';
import { mamba130m, mambaTensors } from './lib/shapes.js';

await Bench.on(mamba130m, mambaTensors(mamba130m), (bench) =>
  measureGeneration(bench, {
    id: 'mamba',
    shape: 'Mamba-130M shape (24 blocks, D 768, N 16), fp32',
    prompt: 512,
    contexts: [256],
    tokens: 16,
  }),
);
