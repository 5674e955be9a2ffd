// What it costs to see recurrent states: all of them, after every token of 4,096, against the prefill itself.
// Mamba-130M shape in fp32. The states of all blocks are 9.7 GB: they are computed as for a file, a part at a time, and let go of.
import { everyState } from '../../server/runtime/everyToken.js';
import { Run } from '../../server/runtime/run.js';
import type { TokenRange } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { Bench, prefill } from './lib/bench.js';
import { timed } from './lib/measure.js';
import { mamba130m, mambaTensors } from './lib/shapes.js';

const TOKENS = 4096;

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
});
