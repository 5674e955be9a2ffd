// Which heads of a block carry the prediction: each is ablated, and the logit of the last token compared. Captum runs the whole model for every
// head; here a run is there already, and only the blocks from the touched one on run again.
import { patch } from '../../server/runtime/patch.js';
import { Run } from '../../server/runtime/run.js';
import { Bench } from './lib/bench.js';
import { timed } from './lib/measure.js';
import { gpt2Small, gpt2Tensors } from './lib/shapes.js';

const [BLOCK, TOKENS] = [6, 128];

await Bench.on(gpt2Small, gpt2Tensors(gpt2Small), async (bench) => {
  const ids = bench.ids(TOKENS);
  const heads = gpt2Small.n_head;
  const model = await bench.model();
  const peer = await bench.peer('captum', { block: BLOCK });
  const zero = { shape: [1, 1, 1], data: new Float32Array(1) };
  let lost: number[] = [];
  const ablate = async () => {
    const run = await Run.create(model);
    await run.prefill(ids);
    const [whole] = await run.logits({ from: TOKENS - 1, to: TOKENS });
    lost = [];
    for (let head = 0; head < heads; head++) {
      const scale = { shape: [1, heads, 1], data: new Float32Array(heads).fill(1).fill(0, head, head + 1) };
      const { shape, data } = await patch(run, [{ probe: `blocks.${BLOCK}.attn.z`, scale, shift: zero }]);
      lost.push((whole as number) - (data[data.length - (shape.at(-1) as number)] as number));
    }
    await run.close();
  };
  await ablate();
  const theirs = (await peer?.ask('ablate', ids))?.logits ?? lost;
  const worst = Math.max(...lost.map((logit, head) => Math.abs(logit - (theirs[head] as number))));
  if (!(worst < 1e-4 && Math.max(...lost.map(Math.abs)) > 1e-3))
    throw new Error(`captum finds something else: it differs by ${worst}`);
  await bench.measure(
    {
      id: 'captum',
      work: `GPT-2-small shape, fp32, ${TOKENS} tokens: what the last logits lose with each of the ${heads} heads of block ${BLOCK}, prompt and ${heads} ablations`,
      notes: peer ? [`What the heads contribute differs from captum by at most ${worst.toExponential(0)}.`] : [],
    },
    {
      ...(peer && { 'captum LayerFeatureAblation': () => peer.ask('ablate', ids) }),
      'Model Lab': () => timed(ablate),
    },
  );
});
