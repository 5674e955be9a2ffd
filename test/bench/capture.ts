// What it costs to keep everything inspectable: prefill of 512 tokens of SmolLM2 shape, the engine as it always runs (segments of a
// few blocks, residual and state captured) against the whole model in one session that captures nothing.
import { Bench, prefill } from './lib/bench.js';
import { llamaTensors, smolLm2 } from './lib/shapes.js';
import { prefillFlops } from './lib/work.js';

await Bench.on(smolLm2, llamaTensors(smolLm2), async (bench) => {
  const ids = bench.ids(512);
  const plain = await bench.model({ blocksPerPiece: smolLm2.num_hidden_layers, capture: false });
  const pieces = await bench.model({ capture: false });
  const captured = await bench.model();
  await bench.measure(
    {
      id: 'capture',
      work: 'SmolLM2-135M shape (30 blocks, D 576), fp32, prefill of 512 tokens without logits',
      load: { kind: 'flops', amount: prefillFlops(plain, ids.length) },
    },
    {
      'whole model, no capture': prefill(plain, ids),
      'segments, no capture': prefill(pieces, ids),
      'segments, all captured': prefill(captured, ids),
    },
  );
});
