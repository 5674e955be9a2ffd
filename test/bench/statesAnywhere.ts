// What it takes to look at a state anywhere, through the requests that the view makes: (token, layer, group) at random, none of them looked at before.
// The embedded models at 1,024 tokens, and Mamba-130M shape, fp32, at 4,096. A round is ten requests, of which the slowest counts.
import path from 'node:path';
import { openLab } from '../lab/harness.js';
import { Bench, threads } from './lib/bench.js';
import { type Sample, timed } from './lib/measure.js';
import { mamba130m, mambaTensors } from './lib/shapes.js';

const REQUESTS = 10;
const embedded = (name: string): string => path.resolve(import.meta.dirname, '../../media/models', name);

/** A round of requests to a run of a model that has read these tokens. */
async function anywhere(folder: string, ids: readonly number[]): Promise<() => Promise<Sample>> {
  const it = openLab({ threads });
  const { id: run, status, error } = await it.run({ path: folder, ids: [...ids] });
  if (status !== 'done') throw new Error(`the run is ${status}: ${error?.message}`);
  const { layers } = await it.ask('state/overview', { run });
  let seed = 1;
  const below = (n: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % n;
  };
  const look = (layer: (typeof layers)[number], token: number) => {
    const state = layer.states.find(({ kind }) => kind === 'matrix') as (typeof layer.states)[number];
    const params = { run, layer: layer.layer, state: state.name, group: below(state.groups), token, against: null };
    return timed(() => it.ask('state/step', params));
  };
  // compiles what reads each layer
  for (const layer of layers) await look(layer, ids.length - 1);
  return async () => {
    const samples: Sample[] = [];
    for (let i = 0; i < REQUESTS; i++)
      samples.push(await look(layers[below(layers.length)] as (typeof layers)[number], below(ids.length)));
    return { ...(samples.sort((a, b) => a.cpu - b.cpu).at(-1) as Sample) };
  };
}

await Bench.on(mamba130m, mambaTensors(mamba130m), async (bench) => {
  const tokens = (count: number, vocab: number) => Array.from({ length: count }, (_, i) => 3 + ((i * 7919) % (vocab - 3)));
  await bench.measure(
    {
      id: 'state-anywhere',
      work: `a step of a state anywhere, as the view asks for it: the slowest of ${REQUESTS} at random`,
    },
    {
      'tiny-mamba, 1,024 tokens': await anywhere(embedded('tiny-mamba'), tokens(1024, 3072)),
      'tiny-rwkv7, 1,024 tokens': await anywhere(embedded('tiny-rwkv7'), tokens(1024, 3072)),
      'Mamba-130M shape, 4,096 tokens': await anywhere(bench.path, bench.ids(4096)),
    },
  );
});
