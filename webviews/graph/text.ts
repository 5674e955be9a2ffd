import type { GraphGroup, GraphNode, GraphValue, SegmentGraph } from '../../server/protocol/graph.js';
import { compact, count } from '../charts/numbers.js';
import { type Branch, type Item, isBranch, type Leaf } from './tree.js';

/** What a box does, as far as colour tells: it reads weights, keeps state, runs a body, only moves numbers, or computes. */
export type Tone = 'weights' | 'state' | 'control' | 'moves' | 'computes';

export interface Label {
  readonly title: string;
  readonly lines: readonly string[];
  /** The value whose length is written beside the last line. */
  readonly value: number | null;
  readonly tone: Tone;
}

const MOVES = new Set(
  'Reshape Transpose Unsqueeze Squeeze Concat Slice Split Pad Expand Gather GatherElements Cast Identity Shape Range Where NonZero'.split(
    ' ',
  ),
);

/** What inputs that every segment may have are called. */
const SAID: Readonly<Record<string, string>> = { past: 'position', kept: 'cached rows', reach: 'tokens of the run' };

/** Sizes that are known at run time, put in: T and S with the tokens of the run, the batch left out. */
export function shapeText(shape: readonly (number | string)[], tokens: number | null): string {
  const sizes = shape[0] === 'B' ? shape.slice(1) : shape;
  return sizes.length === 0 ? 'scalar' : sizes.map((size) => sizeText(size, tokens)).join(' × ');
}

function sizeText(size: number | string, tokens: number | null): string {
  if (typeof size === 'number') return String(size);
  if (/^C\./.test(size)) return size.includes('+') ? 'S' : 'cached';
  if (tokens === null) return size.replace(/^B·/, '').replace(/^n\..*/, 'n');
  const factors = size
    .split('·')
    .map((factor) => (factor === 'T' || factor === 'S' ? tokens : factor === 'B' ? 1 : Number(factor)));
  return factors.every(Number.isFinite) ? String(factors.reduce((a, b) => a * b, 1)) : size.replace(/^n\..*/, 'n');
}

export const weightsOf = (node: GraphNode, { values }: SegmentGraph): GraphValue[] =>
  node.inputs.flatMap((index) => (values[index]?.kind === 'weight' ? [values[index] as GraphValue] : []));

export function labelOf(item: Item, graph: SegmentGraph, tokens: number | null): Label {
  if (item.kind === 'pill') {
    const { role, shape } = graph.values[item.value] as GraphValue;
    const name = (role ?? '').replace(/^state\./, '').replace(/\.(past|new)$/, '');
    const title = SAID[name] ?? `${name} ${item.side === 'in' ? 'before' : 'after'}`;
    return { title, lines: [shapeText(shape, tokens)], value: null, tone: 'state' };
  }
  return isBranch(item) ? branchLabel(item, graph, tokens) : leafLabel(item, graph, tokens);
}

/** `state.k.past` → k. */
export function shortRole(role: string): string {
  const name = role.replace(/^(state|carry)\./, '').replace(/\.(past|new)$/, '');
  return SAID[name] ?? name;
}

function leafLabel({ node: index, names }: Leaf, graph: SegmentGraph, tokens: number | null): Label {
  const node = graph.nodes[index] as GraphNode;
  const weights = weightsOf(node, graph);
  const named = names.map((group) => (graph.groups[group] as GraphGroup).title);
  const what = [node.op, ...weights.flatMap(({ weight }) => weight?.label || [])].join(' ');
  const value = node.outputs[0] as number;
  const shape = shapeText((graph.values[value] as GraphValue).shape, tokens);
  const title = named.at(-1) ?? what;
  return { title, lines: named.length > 0 ? [what, shape] : [shape], value, tone: toneOf(node, weights.length > 0) };
}

const toneOf = ({ op }: GraphNode, reads: boolean): Tone =>
  reads ? 'weights' : op === 'Scan' || op === 'If' ? 'control' : MOVES.has(op) ? 'moves' : 'computes';

function branchLabel(branch: Branch, graph: SegmentGraph, tokens: number | null): Label {
  const group = graph.groups[branch.names[0] as number] as GraphGroup;
  const operators = leavesOf(branch);
  const value = resultOf(branch, graph);
  const reads = operators.some(({ node }) => weightsOf(graph.nodes[node] as GraphNode, graph).length > 0);
  const many = `${operators.length} operators`;
  const control = branch.kind === 'loop' || branch.kind === 'branch';
  return {
    title: titleOf(group, graph),
    lines: [
      group.about?.title ?? many,
      ...(value === null ? [] : [shapeText((graph.values[value] as GraphValue).shape, tokens)]),
    ],
    value,
    tone: control ? 'control' : reads ? 'weights' : 'computes',
  };
}

export function titleOf(group: GraphGroup, { nodes }: Pick<SegmentGraph, 'nodes'>): string {
  const { part, kind, node, title } = group;
  if (part) return `${title} ${part.index} of ${count(part.count)}, ${part.chosen} a token`;
  if (kind === 'loop') return `${nodes[node ?? -1]?.op ?? 'Loop'}: for each token`;
  return title;
}

export const leavesOf = (item: Item): Leaf[] =>
  isBranch(item) ? item.children.flatMap(leavesOf) : item.kind === 'op' ? [item] : [];

/** The value that a group is there for: what its probe names, else what its last operator makes. */
export function resultOf(branch: Branch, graph: SegmentGraph): number | null {
  const probe = (graph.groups[branch.names.at(-1) as number] as GraphGroup).probe;
  const named = probe === null ? -1 : graph.values.findIndex(({ probes }) => probes.includes(probe));
  if (named >= 0) return named;
  const last = leavesOf(branch).at(-1);
  return last ? (graph.nodes[last.node]?.outputs[0] ?? null) : null;
}

export const normText = (norm: number): string => `‖${compact(norm)}‖`;
