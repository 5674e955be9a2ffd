import { graphOutline, segmentGraph } from '../analyses/modelGraph.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { aboutProbe } from '../language/knowledge.js';
import { describeState } from '../runtime/layers.js';
import { summarise } from '../summary.js';
import { checkpointAt } from './hub.js';
import { type Arguments, badValue, count } from './usage.js';

const TOKENS = 1024;

/** Headers as JSON, or the graph that they describe. Reads no weights. */
export async function inspect(args: Arguments): Promise<void> {
  const checkpoint = await checkpointAt(args.path);
  const said = args.graph === undefined ? await headers(checkpoint, args) : await graph(checkpoint, args.graph);
  process.stdout.write(`${JSON.stringify(said, null, 2)}\n`);
}

async function headers(checkpoint: Checkpoint, args: Arguments): Promise<object> {
  const T = count(args, 'tokens', TOKENS, 1);
  const { layers, ...summary } = await summarise(checkpoint);
  const state = layers.flatMap((layer) => describeState(layer, T));
  const bytes = state.reduce((sum, s) => sum + s.bytes, 0);
  return { ...summary, layers, state: { tokens: T, bytes, declared: state } };
}

function graph(checkpoint: Checkpoint, what: string): Promise<object> {
  if (what === 'outline') return graphOutline(checkpoint);
  const [, tower = '', part] = /^(?:(.*)\.)?(embed|head|\d+)$/.exec(what) ?? [];
  if (part === undefined) throw badValue('graph', what, 'outline, embed, head or the number of a block');
  const wanted = { tower, part: part === 'embed' || part === 'head' ? part : Number(part), shown: 0 } as const;
  return segmentGraph(checkpoint, wanted, aboutProbe);
}
