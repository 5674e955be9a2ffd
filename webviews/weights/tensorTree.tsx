import { type Signal, useSignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { TensorSummary } from '../../server/protocol/models.js';
import { bytes, count, shape } from '../charts/numbers.js';
import { range, useScroll } from '../charts/useScroll.js';
import { buildTree, type TreeNode, type TreeRow, visibleRows } from './tree.js';

export interface TensorListProps {
  /** Those that pass the filter. */
  readonly tensors: readonly TensorSummary[];
  readonly filtered: boolean;
  readonly selected: string | null;
  onSelect(name: string): void;
}

const ROW = 22;

/** Tensors by dotted name; blocks that are alike are one node until they are opened. */
export function TensorTree({ tensors, filtered, selected, onSelect }: TensorListProps) {
  const host = useRef<HTMLDivElement>(null);
  const scrolled = useScroll(host);
  const nodes = useMemo(() => buildTree(tensors), [tensors]);
  /** Nodes that are not as they are by default: the upper two levels open, blocks folded; all open in a search. */
  const turned = useSignal<ReadonlySet<string>>(new Set());
  const active = useSignal<string | null>(null);
  const isOpen = (node: TreeNode) => (filtered || (node.alike === 0 && !/\d/.test(node.id))) !== turned.value.has(node.id);
  const rows = useMemo(() => visibleRows(nodes, isOpen), [nodes, turned.value, filtered]);
  const at = Math.max(
    0,
    rows.findIndex(({ node }) => node.id === (active.value ?? selected)),
  );
  const [from, to] = range(scrolled.top, scrolled.height, ROW, rows.length);

  useLayoutEffect(() => {
    const element = host.current;
    if (!element || active.value === null) return;
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW;
    else if ((at + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (at + 1) * ROW - element.clientHeight;
  }, [at, active.value]);

  const toggle = (node: TreeNode) => {
    const next = new Set(turned.value);
    if (!next.delete(node.id)) next.add(node.id);
    turned.value = next;
  };
  const choose = ({ node }: TreeRow) => {
    active.value = node.id;
    if (node.tensor) onSelect(node.tensor.name);
    else toggle(node);
  };
  return (
    <div
      ref={host}
      class="tensor-tree"
      role="tree"
      tabIndex={0}
      aria-label="Tensors by name"
      aria-activedescendant={rows[at] ? `node-${rows[at]?.node.id}` : undefined}
      onKeyDown={(event) => onKey(event, rows, at, active, toggle, choose)}
    >
      <div style={{ height: `${rows.length * ROW}px` }}>
        <div style={{ transform: `translateY(${from * ROW}px)` }}>
          {rows.slice(from, to).map((row) => (
            <Row
              key={row.node.id}
              row={row}
              selected={row.node.tensor !== null && row.node.tensor.name === selected}
              active={row === rows[at]}
              choose={choose}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function onKey(
  event: KeyboardEvent,
  rows: readonly TreeRow[],
  at: number,
  active: Signal<string | null>,
  toggle: (node: TreeNode) => void,
  choose: (row: TreeRow) => void,
): void {
  const row = rows[at];
  if (!row) return;
  const go = (to: number) => {
    active.value = rows[Math.max(0, Math.min(rows.length - 1, to))]?.node.id ?? null;
  };
  const parent = () => {
    for (let above = at - 1; above >= 0; above--) if ((rows[above]?.level ?? 0) < row.level) return above;
    return at;
  };
  if (event.key === 'ArrowDown') go(at + 1);
  else if (event.key === 'ArrowUp') go(at - 1);
  else if (event.key === 'Home') go(0);
  else if (event.key === 'End') go(rows.length - 1);
  else if (event.key === 'PageDown') go(at + 15);
  else if (event.key === 'PageUp') go(at - 15);
  else if (event.key === 'ArrowRight' && row.node.children.length > 0) row.open ? go(at + 1) : toggle(row.node);
  else if (event.key === 'ArrowLeft') row.open ? toggle(row.node) : go(parent());
  else if (event.key === 'Enter' || event.key === ' ') choose(row);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

interface RowProps {
  readonly row: TreeRow;
  readonly selected: boolean;
  readonly active: boolean;
  choose(row: TreeRow): void;
}

function Row({ row, selected, active, choose }: RowProps) {
  const { node, level, open } = row;
  const leaf = node.children.length === 0;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the tree, which has the focus
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and names its active row
    <div
      id={`node-${node.id}`}
      class={`tensor-row${selected ? ' selected' : ''}${active ? ' active' : ''}`}
      role="treeitem"
      aria-level={level}
      aria-expanded={leaf ? undefined : open}
      aria-selected={selected}
      style={{ paddingLeft: `${4 + (level - 1) * 12}px` }}
      onClick={() => choose(row)}
    >
      <i
        class={`codicon ${leaf ? 'codicon-blank' : open ? 'codicon-chevron-down' : 'codicon-chevron-right'}`}
        aria-hidden="true"
      />
      <span class="tensor-name">{node.label}</span>
      <span class="tensor-facts">{factsOf(node)}</span>
    </div>
  );
}

function factsOf({ tensor, alike, tensors, parameters, bytes: size }: TreeNode): string {
  if (tensor) return `${tensor.dtype} ${shape(tensor.shape)}`;
  if (alike > 0) return `${alike} alike: ${tensors / alike} tensors, ${count(parameters / alike)} each`;
  return `${tensors} ${tensors === 1 ? 'tensor' : 'tensors'}, ${count(parameters)}, ${bytes(size)}`;
}
