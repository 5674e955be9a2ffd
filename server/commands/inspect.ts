import { describeState } from '../runtime/layers.js';
import { summarise } from '../summary.js';
import { checkpointAt } from './hub.js';
import { type Arguments, count } from './usage.js';

const TOKENS = 1024;

/** Headers as JSON. Reads no weights. */
export async function inspect(args: Arguments): Promise<void> {
  const T = count(args, 'tokens', TOKENS, 1);
  const { layers, ...summary } = await summarise(await checkpointAt(args.path));
  const state = layers.flatMap((layer) => describeState(layer, T));
  const bytes = state.reduce((sum, s) => sum + s.bytes, 0);
  process.stdout.write(`${JSON.stringify({ ...summary, layers, state: { tokens: T, bytes, declared: state } }, null, 2)}\n`);
}
