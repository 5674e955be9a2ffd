// Any probe of one block afterwards, against the share of one block in a forward pass: seen again, and for the first time (which
// compiles the block's segment). GPT-2-small shape, 512 tokens.

import { Run } from '../../server/runtime/run.js';
import { Bench, prefill } from './lib/bench.js';
import { timed, type Variants } from './lib/measure.js';
import { gpt2Small, gpt2Tensors } from './lib/shapes.js';

const names = ['attn.q', 'attn.pattern', 'attn.z', 'resid_mid', 'mlp.post', 'resid_post'];
const BLOCK = 6;

await Bench.on(gpt2Small, gpt2Tensors(gpt2Small), async (bench) => {
  const ids = bench.ids(512);
  const model = await bench.model();
  const run = await Run.create(model);
  await run.prefill(ids);
  const probe = (name: string) => () => timed(() => run.probes([`blocks.${BLOCK}.${name}`]));
  let fresh = 0;
  const first = () => timed(() => run.probes([`blocks.${fresh++ % gpt2Small.n_layer}.attn.scores`]));
  const variants: Variants = {
    'own prefill ÷ 12 blocks': prefill(model, ids, false, gpt2Small.n_layer),
    ...Object.fromEntries(names.map((name) => [`blocks.${BLOCK}.${name}`, probe(name)])),
    'attn.scores of a block not yet looked at': first,
  };
  await bench.measure(
    { id: 'probe', work: 'GPT-2-small shape, fp32, 512 tokens: one probe of one block after the run' },
    variants,
  );
});
