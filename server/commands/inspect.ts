import { freemem } from 'node:os';
import { measureAny, predictAny } from '../analyses/fitAny.js';
import { graphOutline, segmentGraph } from '../analyses/modelGraph.js';
import { withImage } from '../fitHandlers.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { Machines } from '../lab/machines.js';
import { aboutProbe } from '../language/knowledge.js';
import type { GraphPart } from '../protocol/graph.js';
import { describeState } from '../runtime/layers.js';
import { summarise } from '../summary.js';
import { openDevice } from './device.js';
import { checkpointAt } from './hub.js';
import { type Arguments, badValue, checkDtype, compute, count } from './usage.js';

const TOKENS = 1024;

/** Headers as JSON, the graph that they describe, or what it costs. Reads no weights unless it measures. */
export async function inspect(args: Arguments): Promise<void> {
  const checkpoint = await checkpointAt(args.path);
  const said = args.roofline
    ? await roofline(checkpoint, args)
    : args.graph === undefined
      ? await headers(checkpoint, args)
      : await graph(checkpoint, args.graph);
  process.stdout.write(`${JSON.stringify(said, null, 2)}\n`);
}

async function headers(checkpoint: Checkpoint, args: Arguments): Promise<object> {
  const T = count(args, 'tokens', TOKENS, 1);
  const { layers, ...summary } = await summarise(checkpoint);
  const state = layers.flatMap((layer) => describeState(layer, T));
  const bytes = state.reduce((sum, s) => sum + s.bytes, 0);
  return { ...summary, layers, state: { tokens: T, bytes, declared: state } };
}

async function graph(checkpoint: Checkpoint, what: string): Promise<object> {
  const [, tower = '', part] = /^(?:(.*)\.)?(outline|embed|head|graph|\d+)$/.exec(what) ?? [];
  if (part === undefined) throw badValue('graph', what, 'outline, embed, head, the number of a block, or graph');
  const device = openDevice();
  try {
    if (part === 'outline') return await graphOutline(checkpoint, device);
    const wanted = { tower, part: /^\d/.test(part) ? Number(part) : (part as GraphPart), shown: 0 };
    return await segmentGraph(checkpoint, wanted, aboutProbe, device);
  } finally {
    await device.close();
  }
}

async function roofline(checkpoint: Checkpoint, args: Arguments): Promise<object> {
  checkDtype({ checkpoint }, args);
  const [tokens, batch] = [count(args, 'tokens', TOKENS, 1), count(args, 'batch', 1, 1)];
  const device = openDevice();
  try {
    const { dtype, ...on } = await compute(args, device);
    const wanted = withImage(checkpoint, { tokens, batch, dtype, pixels: pixelsOf(args) });
    const machines = new Machines(device, async () => on);
    const machine = await machines.get(args.machine ?? 'here');
    const predicted = await predictAny(checkpoint, { ...wanted, machine, free: freemem(), device });
    if (!args.measure) return predicted;
    return { ...predicted, measured: await measureAny(checkpoint, wanted, { device, ...on }) };
  } finally {
    await device.close();
  }
}

/** --pixels 518 or 224x336, height first. */
function pixelsOf({ pixels }: Arguments): readonly [number, number] | undefined {
  if (pixels === undefined) return undefined;
  const [, height, width = height] = /^(\d{1,5})(?:[x×](\d{1,5}))?$/.exec(pixels) ?? [];
  if (!Number(height) || !Number(width)) throw badValue('pixels', pixels, 'a side, or height x width');
  return [Number(height), Number(width)];
}
