import type { Checkpoint } from '../../formats/checkpoint.js';
import { OnnxProbes } from '../../graph/onnx/probes.js';
import { type TokenInputs, tokenInputsOf } from '../../graph/onnx/tokenGraph.js';
import { cancelled } from '../../protocol/errors.js';
import type { Device, Feed } from '../device.js';
import { type ElementType, elementOf, elements, type HostTensor } from '../elements.js';
import type { TimeOptions } from '../partTimes.js';
import { timed } from '../timed.js';
import { returned } from './call.js';
import { type DrawnGraph, drawnAt } from './drawing.js';
import { placesOf } from './places.js';
import { GraphSessions } from './sessions.js';
import { type GraphCall, sizesOfCall } from './sizes.js';
import { filledTensor } from './tokenFeeds.js';

type Tensors = Map<string, HostTensor>;

/**
 * Seconds that each part of a graph from a file takes in one call: the best of rounds. Parts run one after the other on what those before them gave,
 * begun with numbers of no meaning, each cut out of the graph for as long as it is timed. Errors: PROBE_UNREACHABLE, RUNTIME_FAILED, CANCELLED.
 */
export async function timeGraphParts(
  checkpoint: Checkpoint,
  drawn: DrawnGraph,
  call: GraphCall,
  device: Device,
  { signal, onPart, ...compute }: Omit<TimeOptions, 'dtype'> & { onPart?(): void },
): Promise<number[]> {
  const { document, blocks } = drawn;
  const sizes = await sizesOfCall(document, device, call);
  const drawing = drawnAt(drawn, sizes);
  const probes = new OnnxProbes(document, blocks.added, blocks.typed);
  for (const [name, { dtype }] of sizes) if (dtype !== null) probes.types.set(name, dtype);
  const on = { device, ...compute, places: await placesOf(checkpoint, document) };
  const values = begin(document, sizes, call);
  const times: number[] = [];
  for (const index of drawing.parts.keys()) {
    if (signal?.aborted) throw cancelled();
    const { graph } = drawing.part(index);
    const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
    const wanted = [...new Set([...graph.outputs.values()].map(({ name }) => name))].filter((name) => made.has(name));
    const from = graph.inputs.map(({ name }) => name).filter((name) => !document.inputs.includes(name));
    // a part that only hands on takes no time
    if (wanted.length === 0) times.push(0);
    else
      times.push(await timePart({ sessions: new GraphSessions(probes, on, true), probes, values, device, signal }, wanted, from));
    onPart?.();
  }
  return times;
}

interface Timing {
  readonly sessions: GraphSessions;
  readonly probes: OnnxProbes;
  /** What is known so far, by the name of the value. */
  readonly values: Tensors;
  readonly device: Device;
  readonly signal?: AbortSignal | undefined;
}

async function timePart(
  { sessions, probes, values, device, signal }: Timing,
  wanted: readonly string[],
  from: readonly string[],
): Promise<number> {
  try {
    const session = await sessions.get(wanted, from);
    const feeds = Object.fromEntries(
      session.inputs.map((input): [string, Feed] => [
        input,
        { kind: 'tensor', tensor: values.get(probes.fed(input)) as HostTensor },
      ]),
    );
    const out = await device.run([{ session: session.session, feeds, sinks: returned(session) }], signal ? { signal } : {});
    for (const [name, tensor] of Object.entries(out)) values.set(name, tensor);
    const sinks = Object.fromEntries([...session.outputs.values()].map((name) => [name, [{ kind: 'register', name } as const]]));
    return await timed(device, { session: session.session, feeds, sinks }, signal);
  } finally {
    await sessions.close();
  }
}

/** Numbers for the graph's own inputs, in the sizes of the call: ids, what follows from them, and small values for all else. */
function begin(document: DrawnGraph['document'], sizes: Awaited<ReturnType<typeof sizesOfCall>>, call: GraphCall): Tensors {
  const found = tokenInputsOf(document);
  const words: TokenInputs | null = 'reason' in found ? null : found;
  const span = { from: call.past, to: call.past + call.tokens };
  return new Map(
    document.inputs.map((name) => {
      const { dtype, shape } = sizes.get(name) ?? { dtype: 'F32', shape: [] };
      const filled = words?.filled.find((input) => input.name === name);
      if (filled) return [name, filledTensor(filled, span, call.batch)];
      const type = elementOf(dtype ?? 'F32') as ElementType;
      const dims = (shape ?? []) as number[];
      const data = new elements[type].array(dims.reduce((n, d) => n * d, 1));
      if (type === 'float32' || type === 'float64')
        for (let i = 0; i < data.length; i++) (data as Float32Array)[i] = Math.sin(i) / 4;
      return [name, { type, dims, data } as HostTensor];
    }),
  );
}
