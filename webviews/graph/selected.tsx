import type { OutlinePart } from '../../server/protocol/graph.js';
import { exact } from '../charts/numbers.js';
import { nameOf } from './breadcrumb.js';
import { Details, ModelDetails, PartDetails, RunDetails } from './details.js';
import { partsOfId } from './navigation.js';
import { runId, segmentId } from './scene.js';
import type { GraphState } from './useGraph.js';

/** The side of the view: what the selected box is. */
export function SelectedDetails({ graph }: { readonly graph: GraphState }) {
  const { selected, outline, at, segments } = graph;
  if (!selected) return <ModelDetails outline={outline} path={segments.path} />;
  const found = graph.item(selected.id);
  const segment = found && segments.known(found.part);
  if (found && segment) {
    const { part, item } = found;
    return (
      <Details
        key={selected.id}
        part={part}
        graph={segment}
        item={item}
        tokens={segments.tokens(part) ?? (at?.tower === part.tower ? at.detail.tokens || null : null)}
        at={at?.tower === part.tower ? at : null}
        shown={segments.shown(part)}
        onShown={(index) => segments.show(part, index)}
        onValue={(value) => graph.jump(makerOf(graph, part, value))}
      />
    );
  }
  const part = graph.part(selected.id);
  if (part) return <PartDetails part={part} graph={segments.known(part)} note={graph.note(part)} />;
  const run = graph.runs.find((candidate) => runId(candidate) === selected.id);
  return run ? <RunDetails run={run} /> : <EndDetails graph={graph} id={selected.id} />;
}

/** The box that makes a value; for one that enters the segment the segment itself. */
function makerOf({ segments, tree }: GraphState, part: OutlinePart, value: number): string {
  const id = segmentId(part);
  const graph = segments.known(part);
  const maker = graph?.nodes.findIndex(({ outputs }) => outputs.includes(value)) ?? -1;
  const candidates = maker >= 0 ? [`${id}/n${maker}`] : [`${id}/i${value}`];
  const outer = graph?.values[value]?.of;
  if (maker < 0 && outer !== undefined) return makerOf({ segments, tree } as GraphState, part, outer);
  return candidates.find((candidate) => tree(part)?.items.has(candidate)) ?? id;
}

/** What goes in and what comes out. */
function EndDetails({ graph: { at, root }, id }: { readonly graph: GraphState; readonly id: string }) {
  const label = root.inner?.children.find(({ box }) => box.id === id)?.box.label;
  if (!label) return null;
  return (
    <>
      <h2>{label.title}</h2>
      {label.lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      {!at && <p class="note">Run a prompt on this model to see its tokens and what it says next.</p>}
    </>
  );
}

/** Said by a screen reader about the selected box. */
export function spokenBox(graph: GraphState): string {
  const { selected } = graph;
  if (!selected) return '';
  const { label, expandable, inner } = selected.box;
  const [segment] = partsOfId(selected.id);
  const norm = label.value === null ? null : graph.norm(segment, label.value);
  const state = expandable ? (inner ? ', open' : ', closed') : '';
  return [nameOf(graph, selected.id) + state, ...label.lines, norm === null ? '' : `length ${exact(norm)}`]
    .filter(Boolean)
    .join(', ');
}
