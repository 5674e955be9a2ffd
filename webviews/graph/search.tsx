import type { GraphGroup, GraphNode, GraphOutline, OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { SearchBox } from '../frame/searchBox.js';
import { query } from './navigation.js';
import { segmentId } from './scene.js';
import type { Segments } from './segments.js';
import { weightsOf } from './text.js';
import { type Item, isBranch, treeOf } from './tree.js';

/**
 * Ids of everything a text is found in: operators, names of steps and probes, weights. Of blocks that are built alike only one is searched,
 * the selected one if it is among them.
 */
export function searchGraph(
  outline: GraphOutline,
  segments: Segments,
  layer: number,
  text: string,
  sizes: boolean,
): readonly string[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [];
  return searched(outline, layer).flatMap((part) => {
    const graph = segments.get(part);
    if (!graph) return [];
    const { items } = treeOf(graph, segmentId(part), sizes);
    return [...items.values()].flatMap((item) => (textOf(item, graph).toLowerCase().includes(wanted) ? [item.id] : []));
  });
}

/** One segment of each structure. */
function searched({ parts }: GraphOutline, layer: number): OutlinePart[] {
  const chosen = new Map<number, OutlinePart>();
  for (const part of parts) if (!chosen.has(part.structure) || part.part === layer) chosen.set(part.structure, part);
  return parts.filter((part) => chosen.get(part.structure) === part);
}

function textOf(item: Item, graph: SegmentGraph): string {
  if (item.kind === 'pill') return graph.values[item.value]?.role ?? '';
  const groups = item.names.map((name) => graph.groups[name] as GraphGroup);
  const named = groups.flatMap(({ kind, title, about }) => (kind === 'root' ? [] : [title, about?.title ?? '']));
  if (isBranch(item)) return named.join(' ');
  const node = graph.nodes[item.node] as GraphNode;
  const probes = node.outputs.flatMap((value) => graph.values[value]?.probes ?? []);
  const tensors = weightsOf(node, graph).map(({ weight }) => weight?.tensor ?? '');
  return [...named, node.op, ...probes, ...tensors].join(' ');
}

interface Props {
  readonly found: readonly string[];
  readonly current: string | null;
  go(id: string): void;
}

export function GraphSearch({ found, current, go }: Props) {
  const at = current === null ? -1 : found.indexOf(current);
  const step = (back: boolean) => {
    const next = found[(at + (back ? -1 : 1) + found.length) % found.length] ?? found[0];
    if (next !== undefined) go(next);
  };
  return (
    <SearchBox
      label="Search in the graph"
      placeholder="Operator, step, probe or weight"
      query={query}
      found={found.length}
      position={at}
      step={step}
    />
  );
}
