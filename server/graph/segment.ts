import { LabError } from '../protocol/errors.js';
import type { Architecture, CoreConfig, Encoder, Stack, StackConfig } from './architecture.js';
import { expose } from './expose.js';
import type { Graph, Value } from './ir.js';
import { type Given, SegmentBuilder, type SegmentRequest, type TensorTable } from './segmentBuilder.js';

/** Blocks from…to−1, with embed before and head behind when asked: the unit of compilation. */
export interface SegmentSpec extends Partial<SegmentRequest> {
  readonly from: number;
  readonly to: number;
  readonly embed: boolean;
  readonly head: boolean;
  /** Values to make outputs, by their names as in expose.ts; a segment with any asks for no probes, which may change what it computes. */
  readonly values?: ReadonlySet<string>;
  /** Nothing but the states that are replaced, after the last token. */
  readonly leaves?: boolean;
}

export interface Segment {
  readonly graph: Graph;
  /** Every probe name this segment could have made an output. */
  readonly declared: readonly string[];
  /** The values that probes name, in graph order. */
  readonly named: ReadonlyMap<string, Value>;
  /** The model's own inputs that it reads. */
  readonly given: readonly Given[];
  /** What it was built from. */
  readonly spec: SegmentSpec;
}

/** A stack bound to one checkpoint's config and tensor names. */
export interface BoundStack {
  readonly architecture: Architecture | Encoder;
  readonly config: StackConfig;
  readonly tensors: TensorTable;
  readonly prefix: string;
}

/** That of a language model. */
export interface BoundArchitecture extends BoundStack {
  readonly architecture: Architecture;
  readonly config: CoreConfig;
}

const unknownProbes = (names: readonly string[], kind: string) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `This model has no ${kind} ${names.join(', ')}.`,
    hint: 'inspect lists every probe of a model.',
  });

/**
 * Builds the graph of a segment. Inputs: the model's own (`tokens`, `given.NAME`) or `resid`, `past`, carries and state; outputs: `resid.next` or
 * what the head says (`logits`), state, carries, probes.
 */
export function buildSegment(bound: BoundStack, spec: SegmentSpec): Segment {
  const { config, tensors, prefix } = bound;
  const stack: Stack = bound.architecture;
  const request = {
    probes: spec.probes ?? new Set<string>(),
    interventions: spec.interventions ?? new Set<string>(),
    queries: spec.queries,
    single: spec.single,
  };
  const g = new SegmentBuilder(
    `segment_${spec.embed ? 'embed_' : ''}${spec.from}_${spec.to}${spec.head ? '_head' : ''}`,
    tensors,
    request,
  );
  g.within('', prefix, () => {
    let x: Value = spec.embed ? g.probe('embed', stack.embed(g, config)) : g.input('resid', 'f32', ['B', 'T', config.dModel]);
    for (let i = spec.from; i < spec.to; i++)
      x = g.within(`blocks.${i}`, stack.blockPrefix(i), () => {
        const before = g.probe('resid_pre', x);
        return g.probe('resid_post', stack.block(g, config, before, i));
      });
    if (!spec.head) g.output('resid.next', x);
    else for (const [name, value] of Object.entries(said(g, bound, x))) g.output(name, g.probe(name, value));
  });
  const missing = [...request.probes].filter((name) => !g.graph.outputs.has(name));
  if (missing.length > 0) throw unknownProbes(missing, 'probe');
  const untouched = [...request.interventions].filter((name) => !g.interventions.has(name));
  for (const name of spec.values ?? []) expose(g.graph, name);
  if (untouched.length > 0) throw unknownProbes(untouched, 'place to intervene');
  return { graph: g.graph, declared: g.declared, named: g.named, given: [...g.givens.values()], spec };
}

/** What comes out of the head, by name. */
const said = (g: SegmentBuilder, { architecture, config }: BoundStack, x: Value): Readonly<Record<string, Value>> =>
  'outputs' in architecture ? architecture.outputs(g, config, x) : { logits: architecture.head(g, config as CoreConfig, x) };

/** Every probe of a model, block by block. Builds graphs, reads no weights. */
export function listProbes(bound: BoundStack): string[] {
  const { layers } = bound.config;
  return Array.from({ length: layers }, (_, i) =>
    buildSegment(bound, { from: i, to: i + 1, embed: i === 0, head: i === layers - 1 }),
  ).flatMap(({ declared }) => declared);
}

/** The same to read: `blocks.i.` once for all blocks that have it. */
export const foldBlocks = (probes: readonly string[]): string[] => [
  ...new Set(probes.map((name) => name.replace(/(^|\.)blocks\.\d+\./, '$1blocks.i.'))),
];
