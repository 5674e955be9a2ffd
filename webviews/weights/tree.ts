import type { TensorSummary } from '../../server/protocol/models.js';

export interface TreeNode {
  /** Last part of the dotted name, with those below it where it has one child only; `0 … 23` for blocks that are alike. */
  readonly label: string;
  /** Unique in the tree. */
  readonly id: string;
  readonly tensor: TensorSummary | null;
  readonly children: readonly TreeNode[];
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
  /** Number of blocks with the same tensors that this node stands for; 0 for any other node. */
  readonly alike: number;
}

interface Branch {
  readonly children: Map<string, Branch>;
  tensor: TensorSummary | null;
}

export const parametersOf = ({ shape }: Pick<TensorSummary, 'shape'>): number =>
  shape.reduce((product, size) => product * size, 1);

/** Tensors by dotted name. A run of numbered siblings with the same tensors inside becomes one node. */
export function buildTree(tensors: readonly TensorSummary[]): readonly TreeNode[] {
  const root: Branch = { children: new Map(), tensor: null };
  for (const tensor of tensors) {
    let at = root;
    for (const part of tensor.name.split('.')) {
      const next = at.children.get(part) ?? { children: new Map(), tensor: null };
      at.children.set(part, next);
      at = next;
    }
    at.tensor = tensor;
  }
  return nodesOf(root, '');
}

function nodesOf(branch: Branch, path: string): readonly TreeNode[] {
  const nodes = [...branch.children].map(([label, child]) => node(label, child, path ? `${path}.${label}` : label));
  return foldAlike(nodes, path).map(compacted);
}

/** `embed_tokens` and the one `weight` in it share a row. */
function compacted(item: TreeNode): TreeNode {
  const only = item.children[0];
  if (item.tensor || item.alike > 0 || item.children.length !== 1 || !only) return item;
  return { ...only, label: `${item.label}.${only.label}` };
}

function node(label: string, branch: Branch, id: string): TreeNode {
  const children = nodesOf(branch, id);
  const own = branch.tensor;
  return {
    label,
    id,
    tensor: own,
    children,
    alike: 0,
    tensors: (own ? 1 : 0) + sum(children, 'tensors'),
    parameters: (own ? parametersOf(own) : 0) + sum(children, 'parameters'),
    bytes: (own?.bytes ?? 0) + sum(children, 'bytes'),
  };
}

const sum = (nodes: readonly TreeNode[], key: 'tensors' | 'parameters' | 'bytes'): number =>
  nodes.reduce((total, item) => total + item[key], 0);

/** Fewer are as quickly read one by one. */
const LEAST_ALIKE = 3;

function foldAlike(nodes: readonly TreeNode[], path: string): readonly TreeNode[] {
  if (nodes.length < LEAST_ALIKE || !nodes.every(({ label }) => /^\d+$/.test(label))) return nodes;
  const sorted = [...nodes].sort((a, b) => Number(a.label) - Number(b.label));
  const runs: TreeNode[][] = [];
  for (const item of sorted) {
    const run = runs.at(-1);
    if (run?.[0] && signature(run[0]) === signature(item)) run.push(item);
    else runs.push([item]);
  }
  return runs.flatMap((run) => (run.length < LEAST_ALIKE ? run : [folded(run, path)]));
}

function folded(run: readonly TreeNode[], path: string): TreeNode {
  const label = `${run[0]?.label} … ${run.at(-1)?.label}`;
  return {
    label,
    id: `${path}.${label}`,
    tensor: null,
    children: run.map(compacted),
    alike: run.length,
    tensors: sum(run, 'tensors'),
    parameters: sum(run, 'parameters'),
    bytes: sum(run, 'bytes'),
  };
}

/** Same names, shapes and types inside. */
function signature({ children, tensor }: TreeNode): string {
  const own = tensor ? `${tensor.dtype}[${tensor.shape}]` : '';
  return `${own}{${children.map((child) => `${child.label}:${signature(child)}`).join()}}`;
}

export interface TreeRow {
  readonly node: TreeNode;
  readonly level: number;
  readonly open: boolean;
}

/** Rows on screen from top to bottom; `isOpen` says which nodes show their children. */
export function visibleRows(nodes: readonly TreeNode[], isOpen: (node: TreeNode) => boolean, level = 1): readonly TreeRow[] {
  return nodes.flatMap((item) => {
    const open = item.children.length > 0 && isOpen(item);
    const row: TreeRow = { node: item, level, open };
    return open ? [row, ...visibleRows(item.children, isOpen, level + 1)] : [row];
  });
}
