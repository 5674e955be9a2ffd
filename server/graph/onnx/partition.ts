import type { GraphPart } from '../../protocol/graph.js';
import type { NodeProto } from '../onnx_pb.js';
import type { GraphBlocks } from './blocks.js';
import { streamOf } from './bottlenecks.js';
import { readsOf } from './captures.js';
import type { OnnxDocument } from './document.js';

/** The parts of a graph in order, and which of them each node belongs to. */
export interface Partition {
  readonly parts: readonly GraphPart[];
  /** By node: index into `parts`. */
  readonly of: readonly number[];
  /** By part: the value of the residual stream that enters it; null for the first, and where the graph has none. */
  readonly streams: readonly (string | null)[];
}

/**
 * Sorts nodes into what makes the stream, its blocks and the head: what lies on the way from the tokens to the result by the bottlenecks it passes,
 * what only prepares something (masks, angles) to the part that reads it, or to the first when several do. A graph without blocks is one part.
 */
export function partitionOf(document: OnnxDocument, { blocks, chain }: GraphBlocks): Partition {
  const { node: nodes } = document.graph;
  if (blocks.length === 0 || chain.length === 0) return { parts: ['graph'], of: nodes.map(() => 0), streams: [null] };
  const borders = bordersOf(blocks, chain);
  const parts: GraphPart[] = ['embed', ...blocks.map((_, i) => i), 'head'];
  const on = onTheWay(nodes, chain[0]?.node ?? 0, chain.at(-1)?.node ?? 0);
  const of = nodes.map((_, i) => (on.between.has(i) ? borders.findLastIndex((border) => i > border) + 1 : Number.NaN));
  const makers = new Map(nodes.flatMap(({ output }, i) => output.map((name) => [name, i] as const)));
  const before = (i: number) => readsOf(nodes[i] as NodeProto).flatMap((name) => makers.get(name) ?? []);
  // behind the way: keys and values for the next call belong where they were made
  for (const i of on.after)
    of[i] = Math.max(
      0,
      ...before(i)
        .map((j) => of[j] as number)
        .filter((part) => !Number.isNaN(part)),
    );
  placePreparations(nodes.length, of, before);
  const closes = nodes[borders.at(-1) as number] as NodeProto;
  return { parts, of, streams: [null, ...blocks.map(({ resid }) => resid.pre), streamOf(closes) || null] };
}

/** The last node before each block, and before the head. */
function bordersOf(blocks: GraphBlocks['blocks'], chain: GraphBlocks['chain']): number[] {
  const borders: number[] = [];
  for (const [i, { enters, site }] of blocks.entries()) {
    const own = enters?.node ?? -1;
    // two that begin at the same bottleneck are told apart by what mixes tokens
    borders.push(i > 0 && own <= (borders[i - 1] as number) ? site - 1 : own);
  }
  const last = blocks.at(-1)?.site ?? 0;
  const closes = chain.findLast(({ node, merges }) => merges && node > last) ?? chain.findLast(({ node }) => node > last);
  return [...borders, Math.max(closes?.node ?? last, last)];
}

/** Nodes between the first and the last of the chain, and those behind the first that do not lead to the last; indices, in order. */
function onTheWay(nodes: readonly NodeProto[], first: number, last: number) {
  const made = new Set((nodes[first] as NodeProto).output);
  const from = new Set([first]);
  for (const [i, node] of nodes.entries()) {
    if (i <= first || /^(Shape|Size)$/.test(node.opType) || !readsOf(node).some((name) => made.has(name))) continue;
    from.add(i);
    for (const name of node.output) if (name !== '') made.add(name);
  }
  const wanted = new Set((nodes[last] as NodeProto).output);
  const between = new Set<number>();
  for (let i = last; i >= first; i--) {
    const node = nodes[i] as NodeProto;
    if (!from.has(i) || !node.output.some((name) => name !== '' && wanted.has(name))) continue;
    between.add(i);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return { between, after: [...from].filter((i) => !between.has(i)) };
}

/** Fills in the parts of what hangs off neither tokens nor stream: from the last node to the first, and then so that no edge leads back. */
function placePreparations(count: number, of: number[], before: (i: number) => readonly number[]): void {
  const readers = new Map<number, Set<number>>();
  const open = Array.from({ length: count }, (_, i) => i).filter((i) => Number.isNaN(of[i]));
  const note = (i: number, parts: Iterable<number>) => {
    for (const j of before(i)) {
      const known = readers.get(j) ?? new Set();
      for (const part of parts) known.add(part);
      readers.set(j, known);
    }
  };
  for (let i = count - 1; i >= 0; i--) note(i, Number.isNaN(of[i]) ? (readers.get(i) ?? []) : [of[i] as number]);
  for (const i of open) {
    const [only, ...others] = readers.get(i) ?? [];
    const earliest = Math.max(0, ...before(i).map((j) => of[j] as number));
    of[i] = only !== undefined && others.length === 0 ? Math.max(only, earliest) : earliest;
  }
}
