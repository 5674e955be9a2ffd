// SmolLM2-135M shape in fp32 against transformers (sdpa).
import { Bench } from './lib/bench.js';
import { measureGeneration } from './lib/generation.js';
import { llamaTensors, smolLm2 } from './lib/shapes.js';

await Bench.on(smolLm2, llamaTensors(smolLm2), (bench) =>
  measureGeneration(bench, {
    id: 'smollm2',
    shape: 'SmolLM2-135M shape (30 blocks, D 576), fp32',
    prompt: 512,
    contexts: [256, 2048],
    tokens: 16,
  }),
);
