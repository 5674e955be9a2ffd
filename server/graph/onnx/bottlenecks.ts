import type { NodeProto } from '../onnx_pb.js';
import { readsOf } from './captures.js';
import type { OnnxDocument } from './document.js';

/** A node that everything behind it follows from: what of it is read further on, and where it stands. */
export interface Bottleneck {
  /** Index of the node. */
  readonly node: number;
  /** Outputs that later nodes read, or that leave the graph. */
  readonly values: readonly string[];
  /** True of a sum of two streams: a residual connection closes here. */
  readonly merges: boolean;
}

/** They say how large a value is, not what is in it. */
const sizeOnly = new Set(['Shape', 'Size']);
/** Norms of ONNX Runtime that add first return the sum as output 3, beside its norm. */
const sums = new Set(['Add', 'Sum', 'SkipLayerNormalization', 'SkipSimplifiedLayerNormalization']);

/** What a residual stream is read from, of the outputs of a node. */
export const streamOf = (node: NodeProto): string =>
  /^Skip/.test(node.opType) && node.output[3] ? node.output[3] : (node.output[0] ?? '');

/**
 * The nodes that every way from the value `source` to the value `target` passes, in order (the dominators of the target, after Cooper, Harvey
 * and Kennedy 2001). Sizes do not count as a way: masks and positions that are made of them are made again from the inputs.
 */
export function bottlenecks(document: OnnxDocument, source: string, target: string): Bottleneck[] {
  const { graph } = document;
  const first = indexOf(document, source);
  const last = indexOf(document, target);
  if (first === null || last === null) return [];
  const reached = reachedFrom(graph.node, first);
  const dominator = new Map<number, number>([[first, first]]);
  const common = (a: number, b: number): number => {
    let [x, y] = [a, b];
    while (x !== y) {
      if (x > y) x = dominator.get(x) as number;
      else y = dominator.get(y) as number;
    }
    return x;
  };
  for (const index of reached.keys()) {
    if (index === first) continue;
    const before = reached.get(index) as readonly number[];
    dominator.set(index, before.reduce(common));
  }
  const chain: number[] = [];
  for (let at: number | undefined = last; at !== undefined && reached.has(at); at = at === first ? undefined : dominator.get(at))
    chain.unshift(at);
  return chain.map((index) => ({
    node: index,
    values: readLater(document, index),
    merges: merges(graph.node[index] as NodeProto, reached.get(index) ?? []),
  }));
}

const merges = ({ opType }: NodeProto, before: readonly number[]): boolean => sums.has(opType) && new Set(before).size > 1;

function indexOf({ origins }: OnnxDocument, value: string): number | null {
  const origin = origins.get(value);
  return origin?.kind === 'node' ? origin.node : null;
}

/** Nodes that depend on what node `first` makes, in order, each with those it reads of them. */
function reachedFrom(nodes: readonly NodeProto[], first: number): ReadonlyMap<number, readonly number[]> {
  const makers = new Map<string, number>();
  const reached = new Map<number, readonly number[]>([[first, []]]);
  for (const name of (nodes[first] as NodeProto).output) makers.set(name, first);
  for (const [index, node] of nodes.entries()) {
    if (index <= first || sizeOnly.has(node.opType)) continue;
    const before = [...new Set(readsOf(node).flatMap((name) => makers.get(name) ?? []))];
    if (before.length === 0) continue;
    reached.set(index, before);
    for (const name of node.output) makers.set(name, index);
  }
  return reached;
}

function readLater({ graph, outputs }: OnnxDocument, index: number): string[] {
  const made = (graph.node[index] as NodeProto).output.filter((name) => name !== '');
  const leaving = new Set(outputs);
  return made.filter(
    (name) => leaving.has(name) || graph.node.some((node) => !sizeOnly.has(node.opType) && readsOf(node).includes(name)),
  );
}

/** The value that stands for the tokens: rows of a table, fetched by their ids. */
export function embeddingOf({ graph }: OnnxDocument, ids: string): string | null {
  const same = new Set([ids]);
  for (const node of graph.node) {
    const reads = node.input.some((name) => same.has(name));
    if (!reads) continue;
    if (['Cast', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze'].includes(node.opType))
      for (const name of node.output) same.add(name);
    else if (/^(Gather|GatherBlockQuantized|EmbedLayerNormalization)$/.test(node.opType)) return node.output[0] ?? null;
  }
  return null;
}
