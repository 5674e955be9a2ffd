import type { GraphGroup, GraphNode, SegmentGraph } from '../../server/protocol/graph.js';

export type BranchKind = 'segment' | 'module' | 'step' | 'part' | 'loop' | 'branch';

/** One operator. */
export interface Leaf {
  readonly kind: 'op';
  readonly id: string;
  readonly node: number;
  /** Groups that hold nothing else, outermost first: they name it. */
  readonly names: readonly number[];
}

/** What flows in or out beside the residual stream: state, and the position of the first token. */
export interface Pill {
  readonly kind: 'pill';
  readonly id: string;
  readonly value: number;
  readonly side: 'in' | 'out';
}

export interface Branch {
  readonly kind: BranchKind;
  readonly id: string;
  /** Index of its group; the outermost of those it stands for comes first in `names`. */
  readonly group: number;
  readonly names: readonly number[];
  readonly children: readonly Item[];
}

export type Item = Leaf | Pill | Branch;

export const isBranch = (item: Item): item is Branch => 'children' in item;

/** A segment as a tree of groups; a group that holds one thing only is that thing. */
export interface Tree {
  readonly root: Branch;
  readonly parents: ReadonlyMap<string, Branch>;
  readonly items: ReadonlyMap<string, Item>;
}

const isFloat = (dtype: string): boolean => /^b?f\d/.test(dtype);

/** Computes sizes and nothing else: whole numbers of a few axes. */
export const isPlumbing = ({ outputs }: GraphNode, { values }: SegmentGraph): boolean =>
  outputs.every((index) => {
    const { dtype, shape } = values[index] as SegmentGraph['values'][number];
    return !isFloat(dtype) && shape.length <= 1 && shape.every((size) => typeof size === 'number');
  });

/** Values that pass from segment to segment; state is drawn as pills, sizes that another segment computed not at all. */
export const passesOn = (role: string | null): boolean => role !== null && !/^(state\.|past$|sizes\.)/.test(role);

const KINDS: Readonly<Record<GraphGroup['kind'], BranchKind>> = {
  root: 'segment',
  module: 'module',
  step: 'step',
  part: 'part',
  loop: 'loop',
  branch: 'branch',
};

/** `sizes`: with the operators that only compute sizes. */
export function treeOf(graph: SegmentGraph, id: string, sizes: boolean): Tree {
  const { groups, nodes } = graph;
  const bodies = new Set(groups.flatMap(({ node }) => node ?? []));
  const build = (group: number): Branch => {
    const { kind } = groups[group] as GraphGroup;
    const inner = groups.flatMap(({ parent }, child) => (parent === group ? [child] : []));
    const own = nodes.flatMap((node, n): Item[] =>
      node.group !== group || bodies.has(n) || (!sizes && isPlumbing(node, graph))
        ? []
        : [{ kind: 'op', id: `${id}/n${n}`, node: n, names: [] }],
    );
    const branches = inner.map(build).filter(({ children }) => children.length > 0);
    const pills = kind === 'root' ? pillsOf(graph, id) : [];
    return {
      kind: KINDS[kind],
      id: kind === 'root' ? id : `${id}/g${group}`,
      group,
      names: [group],
      children: [...pills, ...branches.map(hoisted), ...own],
    };
  };
  const root = build(0);
  const [parents, items] = [new Map<string, Branch>(), new Map<string, Item>()];
  const index = (item: Item) => {
    items.set(item.id, item);
    if (!isBranch(item)) return;
    for (const child of item.children) {
      parents.set(child.id, item);
      index(child);
    }
  };
  index(root);
  return { root, parents, items };
}

/** A module or step of one thing is that thing, under its own name. */
function hoisted(branch: Branch): Item {
  const [only, ...others] = branch.children;
  if (!only || others.length > 0 || only.kind === 'pill' || (branch.kind !== 'module' && branch.kind !== 'step')) return branch;
  return { ...only, names: [...branch.names, ...only.names] };
}

function pillsOf({ values, outputs }: SegmentGraph, id: string): Pill[] {
  const read = values.flatMap(({ kind, role, of }, value): Pill[] =>
    kind === 'input' && of === undefined && isState(role) ? [{ kind: 'pill', id: `${id}/i${value}`, value, side: 'in' }] : [],
  );
  const written = outputs.flatMap((value): Pill[] =>
    writtenState(values[value]?.role ?? null) ? [{ kind: 'pill', id: `${id}/o${value}`, value, side: 'out' }] : [],
  );
  return [...read, ...written];
}

const isState = (role: string | null): boolean => !passesOn(role) && !/^sizes\./.test(role ?? '');

export const writtenState = (role: string | null): boolean => role !== null && /^state\./.test(role);
