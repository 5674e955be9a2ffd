import { type Signal, signal } from '@preact/signals';
import type { OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import type { RunId } from '../../server/protocol/runs.js';
import { request } from '../host.js';
import { segmentId } from './scene.js';

/** How long each value of the segments in sight is at one token of a run; asked for a segment at a time. */
export class Norms {
  readonly #known: Signal<ReadonlyMap<string, ReadonlyMap<number, number>>> = signal(new Map());
  #asked = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly run: RunId,
    private readonly token: number,
    private readonly signal: AbortSignal,
  ) {}

  /** What is known so far; whoever reads it while rendering is told of more. */
  get known(): (segment: string, value: number) => number | null {
    const known = this.#known.value;
    return (segment, value) => known.get(segment)?.get(value) ?? null;
  }

  ask(part: OutlinePart, graph: SegmentGraph): void {
    const id = segmentId(part);
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.#queue = this.#queue.then(() => this.#load(id, part, graph)).catch(() => void this.#asked.delete(id));
  }

  async #load(id: string, part: OutlinePart, graph: SegmentGraph): Promise<void> {
    if (this.signal.aborted) return;
    const values = outsideBodies(graph);
    const probes = values.map((value) => probeOf(part, graph, value));
    const { norms } = await request('graph/norms', { run: this.run, probes, token: this.token }, { signal: this.signal });
    this.#known.value = new Map(this.#known.value).set(id, new Map(values.map((value, i) => [value, norms.data[i] as number])));
  }
}

/** Strings, sequences and maps have no length. */
const isTensor = (dtype: string): boolean => /^(b?f|[iu])\d|^bool/.test(dtype);

/** Values that a segment gives without running a body step by step. */
function outsideBodies({ nodes, groups, values }: SegmentGraph): number[] {
  const inBody = (group: number): boolean => {
    const { kind, parent } = groups[group] ?? { kind: 'root', parent: -1 };
    return kind === 'loop' || kind === 'branch' || (parent >= 0 && inBody(parent));
  };
  const made = nodes.filter(({ group }) => !inBody(group)).flatMap(({ outputs }) => outputs);
  return made.filter((value) => isTensor(values[value]?.dtype ?? ''));
}

/** The name under which a value of a segment is read from a run. */
export function probeOf({ part }: Pick<OutlinePart, 'part'>, { values }: SegmentGraph, value: number): string {
  const scope = typeof part === 'number' ? `blocks.${part}` : part;
  return `${scope}.#${values[value]?.name ?? ''}`;
}

/** The same by the name of its probe, where it has one. */
export function namedProbe(part: Pick<OutlinePart, 'part'>, graph: SegmentGraph, value: number): string {
  const [name] = graph.values[value]?.probes ?? [];
  if (name === undefined) return probeOf(part, graph, value);
  return typeof part.part === 'number' ? `blocks.${part.part}.${name}` : name;
}
