import { useMemo } from 'preact/hooks';
import type { GraphOutline } from '../../server/protocol/graph.js';
import { ink } from '../charts/theme.js';
import { IconButton } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { shownValue } from '../frame/loadable.js';
import { Failed, Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { orTell, request } from '../host.js';
import { Breadcrumb } from './breadcrumb.js';
import { drawGraph } from './drawing.js';
import { GraphCanvas } from './graphCanvas.js';
import { graphInk } from './graphInk.js';
import { GraphKeys } from './keys.js';
import { Legend } from './legend.js';
import { asTable, chosen, query, sizesShown } from './navigation.js';
import { NodeTable } from './nodeTable.js';
import { SvgPen } from './pen.js';
import { GraphSearch } from './search.js';
import { SelectedDetails, spokenBox } from './selected.js';
import { type GraphState, useGraph } from './useGraph.js';

/** One model as the graph that runs. */
export function Architecture({ path }: { readonly path: string }) {
  const outline = useRequest('model/outline', { path });
  const value = shownValue(outline);
  if (value) return <Drawn path={path} outline={value} />;
  return (
    <Frame title="Architecture" provenance={null}>
      <Loaded of={outline} what="The graph of the model">
        {() => null}
      </Loaded>
    </Frame>
  );
}

function Drawn({ path, outline }: { readonly path: string; readonly outline: GraphOutline }) {
  const graph = useGraph(path, outline);
  const { root, selected, found, at, select, toggle, keys, segments } = graph;
  const blocks = outline.parts.filter(({ part }) => typeof part === 'number').length;
  const error = segments.error;
  const results = useMemo(() => new Set(graph.found), [graph.found]);
  const onKey = (event: KeyboardEvent) => {
    if (keys(event)) event.preventDefault();
  };
  return (
    <Frame
      title={`How ${outline.name} computes${blocks === 0 ? '' : `: ${blocks} ${blocks === 1 ? 'block' : 'blocks'}`}`}
      controls={<Controls graph={graph} />}
      provenance={outline.provenance}
      command={graph.command}
      live={spokenBox(graph)}
      onKey={onKey}
    >
      {query.value !== null && <GraphSearch found={found} current={chosen.value} go={graph.jump} />}
      <Breadcrumb graph={graph} />
      {error && <Failed error={error} retry={() => segments.retry()} />}
      <div class="graph-layout">
        <div class="graph-main">
          {asTable.value ? (
            <NodeTable root={root} selected={selected?.id ?? null} norm={graph.norm} onSelect={select} onToggle={toggle} />
          ) : (
            <GraphCanvas
              root={root}
              label={`Graph of ${outline.name}`}
              selected={selected?.id ?? null}
              marked={results}
              norm={graph.norm}
              onSelect={select}
              onToggle={toggle}
              onKeyDown={() => undefined}
              onSight={graph.onSight}
            />
          )}
          <Legend live={at !== null} />
        </div>
        <aside class="graph-side" aria-label="What is selected">
          <SelectedDetails graph={graph} />
          <GraphKeys />
        </aside>
      </div>
    </Frame>
  );
}

function Controls({ graph }: { readonly graph: GraphState }) {
  return (
    <>
      <IconButton icon="search" label="Search (/)" onClick={() => (query.value = query.value === null ? '' : null)} />
      <IconButton icon="collapse-all" label="Close all (c)" onClick={graph.closeAll} />
      <IconButton icon="screen-full" label="Show all (0)" onClick={graph.showAll} />
      <IconButton
        icon="symbol-numeric"
        label="Operators that only compute sizes (i)"
        pressed={sizesShown.value}
        onClick={() => (sizesShown.value = !sizesShown.value)}
      />
      <IconButton
        icon={asTable.value ? 'graph' : 'table'}
        label={asTable.value ? 'Show the picture (t)' : 'Show the boxes as a table (t)'}
        onClick={() => (asTable.value = !asTable.value)}
      />
      <IconButton icon="save" label="Save as SVG…" onClick={() => save(graph)} />
    </>
  );
}

/** The whole picture as it is open now. */
function save({ root, outline, norm }: GraphState): void {
  const pen = new SvgPen(ink.value.family);
  const everything = { left: 0, top: 0, right: root.width, bottom: root.height, scale: 1 };
  drawGraph(pen, { root, ink: graphInk(), selected: null, hovered: null, marked: new Set(), norm }, everything);
  const text = pen.file(root.width, root.height, ink.value.paper);
  orTell(request('host/saveText', { name: `${outline.name}.svg`, text }));
}
