// What it costs to see recurrent states: all of them, after every token of 4,096, against the prefill itself, and one token anywhere.
// Mamba-130M shape in fp32. The states of all blocks are 9.7 GB: they are computed as for a file, a part at a time, and let go of.
import { nearOf, readStretch } from '../../server/analyses/stretch.js';
import { everyState } from '../../server/runtime/everyState.js';
import { Run } from '../../server/runtime/run.js';
import type { RunView, TokenRange } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { Bench, prefill } from './lib/bench.js';
import { timed } from './lib/measure.js';
import { mamba130m, mambaTensors } from './lib/shapes.js';

const TOKENS = 4096;
const PROBES = ['state.ssm', 'mixer.decay', 'mixer.write', 'mixer.y', 'mixer.C', 'mixer.skip'];

await Bench.on(mamba130m, mambaTensors(mamba130m), async (bench) => {
  const ids = bench.ids(TOKENS);
  const model = await bench.model();
  const run = await Run.create(model);
  await run.prefill(ids);
  const read = async (name: string, range: TokenRange) => (await run.probes([name], { range })).get(name) as Tensor;
  const states = model.layers.map(({ index }) => `blocks.${index}.state.ssm`);
  const most = { rss: 0 };
  const every = async () => {
    let numbers = 0;
    most.rss = 0;
    for (const name of states)
      for await (const part of (await everyState(read, name, { from: 0, to: TOKENS })).parts()) {
        numbers += part.length;
        most.rss = Math.max(most.rss, process.memoryUsage.rss());
      }
    if (numbers !== states.length * TOKENS * 2 * mamba130m.hidden_size * mamba130m.state_size)
      throw new Error('states are missing');
  };
  await bench.measure(
    {
      id: 'states',
      work: 'Mamba-130M shape (24 blocks), fp32, 4,096 tokens: prefill, and the state of every block after every token',
    },
    { 'own prefill': prefill(model, ids), 'states after every token': async () => ({ ...(await timed(every)), ...most }) },
  );
  const view = { ids: run.ids, probes: run.probes.bind(run) } as unknown as RunView;
  let seed = 1;
  const any = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return readStretch(view, seed % 24, PROBES, nearOf(view, seed % TOKENS), new AbortController().signal);
  };
  for (let i = 0; i < 24; i++) await readStretch(view, i, PROBES, nearOf(view, 0), new AbortController().signal); // compiles each block once
  await bench.measure(
    {
      id: 'state-anywhere',
      work: 'Mamba-130M shape, fp32: all that the state view shows of one token anywhere in 4,096, of any block',
    },
    { 'own prefill ÷ 4,096 tokens': prefill(model, ids, false, TOKENS), 'a token anywhere': () => timed(any) },
  );
});
