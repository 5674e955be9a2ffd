// GPT-2-small shape, prefill of 512 tokens: plain against transformers (sdpa), and inspectable against TransformerLens.
import { agreement, Bench, lastLogits, prefill } from './lib/bench.js';
import { gpt2Small, gpt2Tensors } from './lib/shapes.js';
import { prefillFlops } from './lib/work.js';

const shape = 'GPT-2-small shape (12 blocks, D 768), fp32, prefill of 512 tokens';

await Bench.on(gpt2Small, gpt2Tensors(gpt2Small), async (bench) => {
  const ids = bench.ids(512);
  const plain = await bench.model({ capture: false });
  const captured = await bench.model();
  const logits = await lastLogits(plain, ids);
  const load = { kind: 'flops', amount: prefillFlops(captured, ids.length) } as const;
  const transformers = await bench.peer('transformers');
  await bench.measure(
    {
      id: 'gpt2-prefill',
      work: `${shape}, keys and values kept, logits of the last token`,
      load,
      notes: transformers ? [agreement(transformers, await transformers.ask('prefill', ids), logits)] : [],
    },
    {
      ...(transformers && { 'transformers, sdpa': () => transformers.ask('prefill', ids) }),
      'Model Lab, no capture': prefill(plain, ids, true),
      'Model Lab': prefill(captured, ids, true),
    },
  );
  const lens = await bench.peer('transformer_lens');
  await bench.measure(
    {
      id: 'gpt2-inspectable',
      work: `${shape}, every activation of every block can be seen afterwards, logits of the last token`,
      load,
      notes: lens ? [agreement(lens, await lens.ask('run_with_cache', ids), logits)] : [],
    },
    {
      ...(lens && { 'TransformerLens run_with_cache': () => lens.ask('run_with_cache', ids) }),
      'Model Lab': prefill(captured, ids, true),
    },
  );
  await bench.profile({ id: 'gpt2-prefill', what: shape, parts: 1, work: async (model) => prefill(model, ids, true) });
});
