import type { Checkpoint } from '../formats/checkpoint.js';
import { describeSegment } from '../graph/describe.js';
import { type BoundArchitecture, buildSegment, type Segment } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import type { GraphGroup, GraphOutline, GraphPart, OutlinePart, SegmentGraph } from '../protocol/graph.js';
import { bindCheckpoint } from '../runtime/model.js';
import { sizeOf } from '../tensor/tensor.js';

const noPart = (part: GraphPart, layers: number) =>
  new LabError({
    code: 'PART_UNKNOWN',
    message: `There is no block ${part}: they go from 0 to ${layers - 1}.`,
    hint: 'Ask for the outline of the model first.',
  });

/** What a person knows of a probe, from whoever knows it. */
export type About = (probe: string) => GraphGroup['about'];

/** The segments of a model, those that are built alike with one structure. Builds graphs, reads no weights. Errors: those of binding. */
export async function graphOutline(checkpoint: Checkpoint): Promise<GraphOutline> {
  const bound = await bindCheckpoint(checkpoint);
  const { layers, dModel, vocab } = bound.config;
  const known = new Map<string, number>();
  const parts: GraphPart[] = ['embed', ...Array.from({ length: layers }, (_, i) => i), 'head'];
  return {
    name: checkpoint.name,
    family: bound.architecture.id,
    dModel,
    vocab,
    parts: parts.map((part, index) => outlinePart(checkpoint, bound, part, (built) => firstOf(known, built, index))),
  };
}

/** Every operator of one segment. Errors: those of binding, PART_UNKNOWN. */
export async function segmentGraph(checkpoint: Checkpoint, part: GraphPart, shown: number, about: About): Promise<SegmentGraph> {
  const bound = await bindCheckpoint(checkpoint);
  const { layers } = bound.config;
  if (typeof part === 'number' && part >= layers) throw noPart(part, layers);
  return described(checkpoint, bound, segmentOf(bound, part), { part, shown, about });
}

/** The index under which a key was met first. */
function firstOf(known: Map<string, number>, key: string, index: number): number {
  const first = known.get(key) ?? index;
  known.set(key, first);
  return first;
}

export function segmentOf(bound: BoundArchitecture, part: GraphPart): Segment {
  const { layers } = bound.config;
  if (part === 'embed') return buildSegment(bound, { from: 0, to: 0, embed: true, head: false });
  if (part === 'head') return buildSegment(bound, { from: layers, to: layers, embed: false, head: true });
  return buildSegment(bound, { from: part, to: part + 1, embed: false, head: false });
}

function outlinePart(
  checkpoint: Checkpoint,
  bound: BoundArchitecture,
  part: GraphPart,
  structure: (built: string) => number,
): OutlinePart {
  const segment = segmentOf(bound, part);
  const built = described(checkpoint, bound, segment, { part, shown: 0, about: () => null });
  const entries = new Set([...segment.graph.weights.values()].map(({ tensor }) => tensor));
  const bytes: Record<string, number> = {};
  let parameters = 0;
  for (const name of entries) {
    const entry = checkpoint.tensors.get(name);
    if (!entry) continue;
    parameters += sizeOf(entry.shape);
    bytes[entry.dtype] = (bytes[entry.dtype] ?? 0) + entry.bytes;
  }
  const carries = (names: readonly string[]) =>
    names.flatMap((name) => (name.startsWith('carry.') ? [name.slice('carry.'.length)] : []));
  const { architecture, config } = bound;
  return {
    part,
    structure: structure(spelled(built)),
    mixer: typeof part === 'number' ? architecture.layer(config, part).mixer : null,
    operators: segment.graph.nodes.length,
    parameters,
    bytes,
    states: typeof part === 'number' ? architecture.state(config, part).map(({ name }) => name) : [],
    carriesIn: carries(segment.graph.inputs.map(({ name }) => name)),
    carriesOut: carries([...segment.graph.outputs.keys()]),
  };
}

interface Wanted {
  readonly part: GraphPart;
  readonly shown: number;
  readonly about: About;
}

function described(
  checkpoint: Checkpoint,
  bound: BoundArchitecture,
  segment: Segment,
  { part, shown, about }: Wanted,
): SegmentGraph {
  const block = typeof part === 'number';
  return describeSegment(segment, {
    part,
    scope: block ? `blocks.${part}.` : '',
    prefix: block ? bound.prefix + bound.architecture.blockPrefix(part) : bound.prefix,
    shown,
    about,
    stored: (tensor) => {
      const entry = checkpoint.tensors.get(tensor);
      return { dtype: entry?.dtype ?? 'F32', shape: entry?.shape ?? [], bytes: entry?.bytes ?? 0 };
    },
  });
}

/** How a segment is built, without what differs between like blocks: the types and sizes of stored weights. */
const spelled = ({ values, nodes, groups, outputs }: SegmentGraph): string =>
  JSON.stringify([values.map(({ weight, ...value }) => [value, weight?.tensor]), nodes, groups, outputs]);
