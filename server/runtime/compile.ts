import { addNorms } from '../graph/addNorms.js';
import { emitOnnx } from '../graph/emit.js';
import { type Graph, prune } from '../graph/ir.js';
import { forOneToken } from '../graph/oneToken.js';
import { type BoundStack, buildSegment, type SegmentSpec } from '../graph/segment.js';
import { assertSound } from '../graph/verify.js';
import type { Compute, Device } from './device.js';
import { outputRole } from './feeds.js';
import { dialectOf, keepsState } from './providers.js';
import type { WeightStore } from './weights.js';

/** A compiled segment: its session and what goes in and out. */
export interface Piece {
  readonly session: number;
  readonly spec: SegmentSpec;
  readonly graph: Graph;
}

/** What segments of a model are compiled from and for. */
export interface Workshop {
  readonly bound: BoundStack;
  readonly weights: WeightStore;
  readonly device: Device;
  readonly compute: Compute;
  /** Queries that a block of attention reads at a time; default: QUERIES. */
  readonly queries?: number | undefined;
}

/** The fastest of 32, 64 and 128 for 256 to 512 tokens: the scores of a dozen heads then stay in a core's second cache. */
const QUERIES = 64;

/**
 * `generate`: weights packed once. `step`: the same for one token of one sequence, so that sizes are constants and products of the same numbers
 * are joined; or over the `mapped` file. `inspect`: only the outputs named; over the mapped file, without a copy, or `packed` where weights are rounded,
 * since those kernels round what they multiply as well; `many` as a prompt is read.
 */
export type Purpose =
  | { readonly for: 'generate' }
  | { readonly for: 'step'; readonly mapped: boolean }
  | {
      readonly for: 'inspect';
      readonly outputs: ReadonlySet<string> | undefined;
      readonly packed?: boolean;
      readonly many?: boolean;
    };

/** Null where the provider has no loops of its own, so that all queries of a call are read at once. */
export const queriesAtOnce = (provider = 'cpu', queries = QUERIES): number | null => (dialectOf(provider).loops ? queries : null);

export async function compile(shop: Workshop, spec: SegmentSpec, purpose: Purpose): Promise<Piece> {
  const { bound, weights, device, compute } = shop;
  const provider = compute.provider ?? 'cpu';
  // values go by names of the graph that views show; a single token needs no blocks
  const queries = spec.values || purpose.for === 'step' ? null : queriesAtOnce(provider, shop.queries);
  const built = buildSegment(bound, { ...spec, ...(queries !== null && { queries }), single: purpose.for === 'step' }).graph;
  const named = purpose.for === 'inspect' ? purpose.outputs : undefined;
  // what nothing reads would be computed all the same
  const graph = prune(built, spec.leaves ? replacedStates(built) : [...(named ?? built.outputs.keys())]);
  assertSound(graph);
  const prepack = purpose.for === 'step' ? !purpose.mapped : purpose.for === 'generate' || purpose.packed === true;
  const emitted = purpose.for === 'step' && provider === 'cpu' ? addNorms(forOneToken(graph)) : graph;
  const model = emitOnnx(emitted, {
    place: weights.place,
    weights: prepack ? 'prepack' : 'map',
    many: purpose.for === 'generate' || (purpose.for === 'inspect' && purpose.many === true),
    dialect: dialectOf(provider),
    threads: compute.threads,
    ...(purpose.for === 'step' && { sizes: { B: 1, T: 1 } }),
  });
  const resident = !spec.leaves && keepsState(provider) ? replacedStates(graph) : [];
  return {
    session: await device.load(model, {
      ...compute,
      folder: weights.folder,
      prepack,
      arena: purpose.for !== 'inspect',
      resident,
    }),
    spec,
    graph,
  };
}

/** Outputs that replace a state whole: what goes in has a fixed size. Rows of a kv state are appended in this process. */
const replacedStates = (graph: Graph): string[] =>
  [...graph.outputs.keys()].filter((name) => {
    const past = graph.inputs.find((input) => input.name === name.replace(/\.new$/, '.past'));
    return outputRole(name).role === 'state' && past?.shape.slice(1).every((d) => typeof d === 'number');
  });
