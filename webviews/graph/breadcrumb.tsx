import { runId } from './scene.js';
import { titleOf } from './text.js';
import { type Item, isBranch } from './tree.js';
import type { GraphState } from './useGraph.js';

/** Where the selected box is, from the model inwards; each step leads there. */
export function Breadcrumb({ graph }: { readonly graph: GraphState }) {
  const { selected, parent, select, outline } = graph;
  const path: string[] = [];
  for (let at = selected?.id ?? null; at !== null && at !== 'model'; at = parent(at)) path.unshift(at);
  return (
    <nav class="graph-crumbs" aria-label="Where the selected box is">
      <span>{outline.name}</span>
      {path.map((id) => (
        <span key={id}>
          <i class="codicon codicon-chevron-right" aria-hidden="true" />
          <button
            type="button"
            class="link"
            aria-current={id === selected?.id ? 'location' : undefined}
            onClick={() => select(id)}
          >
            {nameOf(graph, id)}
          </button>
        </span>
      ))}
    </nav>
  );
}

export function nameOf(graph: GraphState, id: string): string {
  const found = graph.item(id);
  const segment = found && graph.segments.known(found.part);
  if (found && segment) return itemName(found.item, segment);
  const part = graph.part(id);
  if (part) return typeof part.part === 'number' ? `block ${part.part}` : part.part;
  const run = graph.runs.find((candidate) => runId(candidate) === id);
  if (run) return `blocks ${run.parts[0]?.part}–${run.parts.at(-1)?.part}`;
  return graph.root.inner?.children.find(({ box }) => box.id === id)?.box.label.title ?? '';
}

function itemName(item: Item, segment: NonNullable<ReturnType<GraphState['segments']['known']>>): string {
  if (item.kind === 'pill') return segment.values[item.value]?.role ?? '';
  const group = segment.groups[item.names.at(isBranch(item) ? 0 : -1) ?? -1];
  if (group) return titleOf(group, segment);
  return item.kind === 'op' ? (segment.nodes[item.node]?.op ?? '') : '';
}
