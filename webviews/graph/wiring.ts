import type { SegmentGraph } from '../../server/protocol/graph.js';
import { type Item, isBranch, passesOn, type Tree, writtenState } from './tree.js';

/** Where an edge begins or ends within a container: a child by id, or the container's border where a value enters or leaves. */
export interface Wire {
  readonly from: string;
  readonly to: string;
  readonly value: number;
  /** Goes back: the state of a loop for its next step. */
  readonly back: boolean;
}

export const entry = (value: number): string => `>${value}`;
export const exit = (value: number): string => `<${value}`;
export const portValue = (end: string): number | null => (/^[<>]\d+$/.test(end) ? Number(end.slice(1)) : null);

/** Wires of each open container, by its id. */
export type Wiring = ReadonlyMap<string, readonly Wire[]>;

interface Link {
  /** Item ids; null outside the segment. */
  readonly from: string | null;
  readonly to: string | null;
  readonly value: number;
  readonly back: boolean;
}

/** The edges between what is seen: those of operators in closed groups belong to the group, and edges that cross a border have a place on it. */
export function wire(graph: SegmentGraph, tree: Tree, open: (id: string) => boolean): Wiring {
  const result = new Map<string, Map<string, Wire>>();
  const add = (container: string, from: string, to: string, { value, back }: Link) => {
    if (from === to) return;
    const wires = result.get(container) ?? new Map<string, Wire>();
    result.set(container, wires);
    wires.set(`${from} ${to}`, wires.get(`${from} ${to}`) ?? { from, to, value, back });
  };
  for (const link of linksOf(graph, tree)) {
    const [from, to] = [link.from, link.to].map((id) => (id === null ? [tree.root] : chain(tree, id, open))) as [Item[], Item[]];
    const meet = commonLength(from, to);
    const at = (path: readonly Item[], level: number) => (path[level] as Item).id;
    const [a, b] = [from[meet]?.id, to[meet]?.id];
    if (a !== undefined && b !== undefined) add(at(from, meet - 1), a, b, link);
    // up from where it is made to where both meet, and down to where it is read
    for (let level = meet + (b === undefined ? 0 : 1); level < from.length; level++)
      add(at(from, level - 1), at(from, level), exit(link.value), link);
    for (let level = meet + (a === undefined ? 0 : 1); level < to.length; level++)
      add(at(to, level - 1), entry(link.value), at(to, level), link);
  }
  return new Map([...result].map(([container, wires]) => [container, [...wires.values()]]));
}

/** From the root down to the item, or to the closed group that hides it. */
function chain({ parents, items }: Tree, id: string, open: (id: string) => boolean): Item[] {
  const path: Item[] = [];
  for (let item = items.get(id); item; item = parents.get(item.id)) path.unshift(item);
  const closed = path.findIndex((item, level) => level > 0 && isBranch(item) && !open(item.id));
  return closed < 0 ? path : path.slice(0, closed + 1);
}

function commonLength(a: readonly Item[], b: readonly Item[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

/** Who makes a value and who reads it, operator by operator; loops and branches are seen through. */
function linksOf(graph: SegmentGraph, tree: Tree): Link[] {
  const { values, nodes, outputs } = graph;
  const id = tree.root.id;
  const made = new Map<number, string[]>();
  const read = new Map<number, string[]>();
  const put = (table: Map<number, string[]>, value: number, item: string) => {
    if (tree.items.has(item)) table.set(value, [...(table.get(value) ?? []), item]);
  };
  for (const [n, node] of nodes.entries()) {
    for (const value of node.outputs) put(made, value, `${id}/n${n}`);
    for (const value of node.inputs) put(read, value, `${id}/n${n}`);
  }
  for (const value of values.keys()) {
    put(made, value, `${id}/i${value}`);
    put(read, value, `${id}/o${value}`);
  }
  const inner = new Map<number, number[]>();
  for (const [value, { of }] of values.entries()) if (of !== undefined) inner.set(of, [...(inner.get(of) ?? []), value]);
  const makers = (value: number): string[] => [
    ...(made.get(value) ?? []),
    ...(inner.get(value) ?? []).flatMap((v) => (values[v]?.kind === 'computed' ? makers(v) : [])),
  ];
  const readers = (value: number): string[] => [
    ...(read.get(value) ?? []),
    ...(inner.get(value) ?? []).flatMap((v) => (values[v]?.kind === 'input' ? readers(v) : [])),
  ];
  const leaving = new Set(outputs);
  return values.flatMap((value, v): Link[] => {
    if (value.kind === 'weight' || value.kind === 'constant') return [];
    const back = nextOf(values, v);
    const sources = value.of !== undefined && value.kind === 'input' ? [] : makers(v);
    const targets = value.of !== undefined && value.kind === 'computed' ? (read.get(v) ?? []) : readers(v);
    const links = sources.flatMap((from) => targets.map((to): Link => ({ from, to, value: v, back: false })));
    const enters = value.kind === 'input' && value.of === undefined && passesOn(value.role);
    if (enters) links.push(...targets.map((to): Link => ({ from: null, to, value: v, back: false })));
    if (leaving.has(v) && passesOn(value.role) && !writtenState(value.role))
      links.push(...sources.map((from): Link => ({ from, to: null, value: v, back: false })));
    for (const state of back)
      for (const from of made.get(v) ?? [])
        for (const to of read.get(state) ?? []) links.push({ from, to, value: v, back: true });
    return links;
  });
}

/** States of loops that this value becomes for the next step. */
const nextOf = (values: SegmentGraph['values'], v: number): number[] =>
  values.flatMap(({ next }, state) => (next === v ? [state] : []));
