import type { Checkpoint } from '../formats/checkpoint.js';
import type { Stack } from '../graph/architecture.js';
import { describeSegment } from '../graph/describe.js';
import { type BoundStack, buildSegment, type Segment } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import type { GraphGroup, GraphOutline, GraphPart, OutlinePart, SegmentGraph } from '../protocol/graph.js';
import { bindStacks } from '../runtime/stacks.js';
import { sizeOf } from '../tensor/tensor.js';

const noPart = (tower: string, part: GraphPart) =>
  new LabError({
    code: 'PART_UNKNOWN',
    message: `There is no block ${tower === '' ? '' : `${tower} `}${part}.`,
    hint: 'Ask for the outline of the model first.',
  });

/** What a person knows of a probe, from whoever knows it. */
export type About = (probe: string) => GraphGroup['about'];

/** Which segment is meant; of its parts that are built alike the one that is sent. */
export interface WantedSegment {
  readonly tower: string;
  readonly part: GraphPart;
  readonly shown: number;
}

/** embed, blocks in order, head. */
export const partsOf = ({ config }: BoundStack): GraphPart[] => [
  'embed',
  ...Array.from({ length: config.layers }, (_, i) => i),
  'head',
];

/** The segments of a model, those that are built alike with one structure. Builds graphs, reads no weights. Errors: those of binding. */
export async function graphOutline(checkpoint: Checkpoint): Promise<GraphOutline> {
  const started = performance.now();
  const { id, stacks } = await bindStacks(checkpoint);
  const known = new Map<string, number>();
  const segments = [...stacks].flatMap(([tower, bound]) => partsOf(bound).map((part) => ({ tower, bound, part })));
  const parts = segments.map(({ tower, bound, part }, index) =>
    outlinePart(checkpoint, bound, { tower, part }, (built) => firstOf(known, built, index)),
  );
  const ms = performance.now() - started;
  const provenance = {
    model: checkpoint.name,
    dtype: '',
    probe: `${parts.length} segments`,
    provider: 'built from the header',
    ms,
  };
  return { name: checkpoint.name, family: id, parts, provenance };
}

/** Every operator of one segment. Errors: those of binding, PART_UNKNOWN. */
export async function segmentGraph(checkpoint: Checkpoint, wanted: WantedSegment, about: About): Promise<SegmentGraph> {
  const { stacks } = await bindStacks(checkpoint);
  const bound = stacks.get(wanted.tower);
  const { part } = wanted;
  if (!bound || (typeof part === 'number' && part >= bound.config.layers)) throw noPart(wanted.tower, part);
  return described(checkpoint, bound, segmentOf(bound, part), wanted, about);
}

/** The index under which a key was met first. */
function firstOf(known: Map<string, number>, key: string, index: number): number {
  const first = known.get(key) ?? index;
  known.set(key, first);
  return first;
}

export function segmentOf(bound: BoundStack, part: GraphPart): Segment {
  const { layers } = bound.config;
  if (part === 'embed') return buildSegment(bound, { from: 0, to: 0, embed: true, head: false });
  if (part === 'head') return buildSegment(bound, { from: layers, to: layers, embed: false, head: true });
  return buildSegment(bound, { from: part, to: part + 1, embed: false, head: false });
}

function outlinePart(
  checkpoint: Checkpoint,
  bound: BoundStack,
  { tower, part }: Pick<WantedSegment, 'tower' | 'part'>,
  structure: (built: string) => number,
): OutlinePart {
  const segment = segmentOf(bound, part);
  const built = described(checkpoint, bound, segment, { tower, part, shown: 0 }, () => null);
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
  const { config } = bound;
  const architecture: Stack = bound.architecture;
  return {
    tower,
    part,
    structure: structure(spelled(built)),
    mixer: typeof part === 'number' ? architecture.layer(config, part).mixer : null,
    operators: segment.graph.nodes.length,
    parameters,
    bytes,
    states: typeof part === 'number' ? architecture.state(config, part).map(({ name, kind }) => ({ name, kind })) : [],
    carriesIn: carries(segment.graph.inputs.map(({ name }) => name)),
    carriesOut: carries([...segment.graph.outputs.keys()]),
  };
}

function described(
  checkpoint: Checkpoint,
  bound: BoundStack,
  segment: Segment,
  { tower, part, shown }: WantedSegment,
  about: About,
): SegmentGraph {
  const block = typeof part === 'number';
  return describeSegment(segment, {
    tower,
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
