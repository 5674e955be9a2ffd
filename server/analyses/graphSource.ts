import type { Checkpoint } from '../formats/checkpoint.js';
import type { Stack } from '../graph/architecture.js';
import { type Describable, type DescribeOptions, describeSegment } from '../graph/describe.js';
import { liveSizes } from '../graph/liveSizes.js';
import type { BoundStack } from '../graph/segment.js';
import { type BuiltPart, partsOf, segmentOf } from '../graph/segmentParts.js';
import type { Call } from '../graph/sizes.js';
import type { GraphPart, OutlinePart, SegmentGraph } from '../protocol/graph.js';
import type { Inference } from '../protocol/models.js';
import type { Device } from '../runtime/device.js';
import { type DrawnGraph, drawnGraph } from '../runtime/onnx/drawing.js';
import { bindStacks } from '../runtime/stacks.js';
import { wholeCall } from './fitCalls.js';

/** Which segment is meant; of its parts that are built alike the one that is sent. */
export interface WantedSegment {
  readonly tower: string;
  readonly part: GraphPart;
  readonly shown: number;
  /** Sizes are those of a call with so many tokens, where they are known; null or absent: symbolic. */
  readonly tokens?: number | null;
  /** [height, width] of the image that is looked at. */
  readonly pixels?: readonly [number, number] | undefined;
}

export type About = DescribeOptions['about'];
type Facts = Pick<OutlinePart, 'mixer' | 'states'>;

/** The graph that runs, whoever made it, by its parts. */
export interface GraphSource {
  /** Of the family. */
  readonly id: string;
  readonly inferred?: readonly Inference[];
  /** In order, of each tower. */
  readonly parts: readonly Pick<OutlinePart, 'tower' | 'part'>[];
  /** Where it and its sizes come from. */
  readonly from: string;
  graph(part: Pick<OutlinePart, 'tower' | 'part'>): Describable;
  /** The call in which a part reads all tokens of a run; null where sizes are already known. */
  call(wanted: WantedSegment): Call | null;
  facts(part: Pick<OutlinePart, 'tower' | 'part'>): Facts;
  /** Before the names of tensors. */
  prefix(part: Pick<OutlinePart, 'tower' | 'part'>): string;
}

/** Builds graphs or reads one from its file; no weights. Errors: those of binding, of the format, ONNX_INVALID. */
export const graphSource = async (checkpoint: Checkpoint, device: Device): Promise<GraphSource> =>
  checkpoint.format === 'onnx' ? fromFile(await drawnGraph(checkpoint, device)) : fromSegments(checkpoint);

/** One part as data. */
export function describePart(
  checkpoint: Checkpoint,
  source: GraphSource,
  graph: Describable,
  wanted: WantedSegment,
  about: About,
): SegmentGraph {
  const { tower, part, shown } = wanted;
  const call = source.call(wanted);
  return describeSegment(graph, {
    tower,
    part,
    scope: typeof part === 'number' ? `blocks.${part}.` : '',
    prefix: source.prefix({ tower, part }),
    shown,
    about,
    ...(call && { sizes: liveSizes(graph.graph, call) }),
    stored: (tensor) => {
      const entry = checkpoint.tensors.get(tensor);
      return { dtype: entry?.dtype ?? 'F32', shape: entry?.shape ?? [], bytes: entry?.bytes ?? 0 };
    },
  });
}

async function fromSegments(checkpoint: Checkpoint): Promise<GraphSource> {
  const { id, inferred, stacks } = await bindStacks(checkpoint);
  const of = (tower: string) => stacks.get(tower) as BoundStack;
  return {
    id,
    ...(inferred && { inferred }),
    parts: [...stacks].flatMap(([tower, bound]) => partsOf(bound).map((part) => ({ tower, part }))),
    from: 'built from the header',
    graph: ({ tower, part }) => segmentOf(of(tower), part as BuiltPart),
    call: ({ tower, tokens, pixels }) => (tokens ? wholeCall(of(tower), tokens, pixels) : null),
    facts: ({ tower, part }) => {
      if (typeof part !== 'number') return { mixer: null, states: [] };
      const { config, architecture } = of(tower);
      const stack: Stack = architecture;
      return {
        mixer: stack.layer(config, part).mixer,
        states: stack.state(config, part).map(({ name, kind }) => ({ name, kind })),
      };
    },
    prefix: ({ tower, part }) => {
      const { prefix, architecture } = of(tower);
      return typeof part === 'number' ? prefix + architecture.blockPrefix(part) : prefix;
    },
  };
}

function fromFile({ drawing, blocks, declaredOnly }: DrawnGraph): GraphSource {
  const index = (part: GraphPart) => drawing.parts.indexOf(part);
  return {
    id: 'onnx',
    parts: drawing.parts.map((part) => ({ tower: '', part })),
    from:
      declaredOnly === null ? 'read from the file, sizes by ONNX Runtime' : `sizes as the file declares them: ${declaredOnly}`,
    graph: ({ part }) => drawing.part(index(part)),
    call: () => null,
    facts: ({ part }) => {
      const block = typeof part === 'number' ? blocks.blocks[part] : undefined;
      if (!block) return { mixer: null, states: [] };
      const { attention, recurrence, cache } = block;
      const rows = Object.entries(cache).flatMap(([name, state]) => (state ? [{ name, kind: 'kv' } as const] : []));
      const fixed = Object.keys(recurrence?.states ?? {}).map((name) => ({ name, kind: 'matrix' }) as const);
      return { mixer: attention ? 'attention' : (recurrence?.mixer ?? null), states: [...rows, ...fixed] };
    },
    prefix: ({ part }) => drawing.prefix(index(part)),
  };
}
