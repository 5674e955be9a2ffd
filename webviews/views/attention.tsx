import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { attends, type LayerSummary, layersOf, type ModelInfo, type Recurrence } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import '../attention/attention.css';
import { Details } from '../attention/details.js';
import { EdgeDetails, isScope, type Scope } from '../attention/edgeDetails.js';
import { HeadGrid } from '../attention/headGrid.js';
import { HeadMap } from '../attention/headMap.js';
import { HeadPicker } from '../attention/headPicker.js';
import { SKETCH_FROM } from '../attention/mapTiles.js';
import { settled } from '../attention/settled.js';
import { ORDERS, type Order, overview } from '../attention/thumbnails.js';
import { useReading } from '../attention/useReading.js';
import type { Cell } from '../charts/grid.js';
import { Dropdown } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { type Loadable, shownValue } from '../frame/loadable.js';
import { mount } from '../frame/mount.js';
import { NoRun } from '../frame/noRun.js';
import { activeModel, activeRun, select, selection } from '../frame/selection.js';
import { Empty, Loaded, NotPossible } from '../frame/states.js';
import { visibleText } from '../frame/tokenText.js';
import { persisted, showInspector } from '../host.js';

const isOrder = (value: unknown): value is Order => ORDERS.some((order) => order.value === value);
const order = persisted<Order>('order', 'layer', isOrder);
const pool = persisted<'mean' | 'max'>('pool', 'max', (value) => value === 'mean' || value === 'max');

/** Null until somebody chooses. */
const scope = persisted<Scope | null>('edges', null, isScope);

const POOLS = [
  { value: 'max', text: 'largest of its weights' },
  { value: 'mean', text: 'mean of its weights' },
] as const;

function Attention() {
  return (
    <Loaded
      of={activeRun.value}
      what="The tokens of the run"
      empty={
        <Message title="Attention">
          <NoRun shows="Shows which tokens each head reads, for every token of a run." fits={attends} />
        </Message>
      }
    >
      {(run) => <Run run={run} model={activeModel.value} />}
    </Loaded>
  );
}

const Message = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <Frame title={title} provenance={null}>
    {children}
  </Frame>
);

/** What mixes tokens where nothing attends. */
const recurrences: Readonly<Record<Recurrence, string>> = {
  mamba: 'a selective state space',
  mamba2: 'a selective state space with heads (Mamba-2)',
  rwkv4: 'RWKV-4 time mixing',
  rwkv5: 'RWKV time mixing',
  rwkv: 'RWKV time mixing',
  rglru: 'a gated linear recurrence (RG-LRU)',
  deltanet: 'a gated delta rule',
  mlstm: 'a matrix LSTM',
  vim: 'a selective state space in both directions',
  ttt_linear: 'a linear model that learns the text while it reads (TTT)',
  cema: 'a complex moving average',
  ttt_mlp: 'a perceptron that learns the text while it reads (TTT)',
  lstm: 'an LSTM',
  gru: 'a GRU',
  rnn: 'a recurrent layer',
  loop: 'a loop of the graph',
  linear_attention: 'linear attention',
};

function Run({ run, model }: { readonly run: RunDetail; readonly model: ModelInfo | null }) {
  const title = `Attention of ${run.modelName}`;
  const layers = layersOf(model?.layers ?? [], run.tower).filter(attends);
  if (!model)
    return (
      <Message title={title}>
        <NotPossible why="This model was unloaded. Open it again to compute its attention." />
      </Message>
    );
  if (layers.length === 0) {
    const by = model.layers.flatMap(({ mixer }) => (mixer === 'attention' ? [] : [recurrences[mixer]]))[0];
    return (
      <Message title={title}>
        <NotPossible
          why={`${model.name} has no attention: its layers mix tokens by ${by}. What it remembers is in its state.`}
          action={{
            label: 'Show state',
            run: () => showInspector('state'),
          }}
        />
      </Message>
    );
  }
  if (run.tokenInfos.length === 0)
    return (
      <Message title={title}>
        <Empty text="The run has no tokens yet." />
      </Message>
    );
  return <Heads run={settled(run)} layers={layers} />;
}

function Heads({ run, layers }: { readonly run: RunDetail; readonly layers: readonly LayerSummary[] }) {
  const layer = layers.find(({ index }) => index === selection.value.layer) ?? layers[0];
  const head = Math.min(selection.value.head, (layer?.heads ?? 1) - 1);
  const index = layer?.index ?? 0;
  const tokens = run.tokenInfos;
  const query = selection.value.token !== null && selection.value.token < tokens.length ? selection.value.token : null;
  const chosen = useSignal<number | null>(null);
  const causal = layer?.causal !== false;
  const key = query !== null && chosen.value !== null && (!causal || chosen.value <= query) ? chosen.value : null;
  const count = tokens.length;
  const edgesOf = layersInScope(scopeFor(count), layers, index);
  const reading = useReading({ run: run.id, layer: index, head, count, query, selectedKey: key, edgesOf });
  const { row, cell } = reading;
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') moveHead(event, layers, index, head);
    else if (key !== null) chosen.value = null;
    else select({ token: null });
  };
  const chooseCell = (at: Cell) => {
    select({ token: at.row, layer: index, head });
    chosen.value = at.col;
  };
  const written = query === null ? '' : ` at token ${query} “${tokens[query] ? visibleText(tokens[query]) : ''}”`;
  return (
    <Frame
      title={`What head ${index}.${head} of ${run.modelName} reads${written}`}
      controls={<Controls layers={layers} layer={index} head={head} pooled={count >= POOLED_FROM} />}
      provenance={(shownValue(cell) ?? shownValue(row) ?? shownOf(overview.value.get(index)))?.provenance ?? null}
      command={{ run: run.id, probes: [`blocks.${index}.attn.pattern`] }}
      onKey={onKey}
    >
      {layer?.part && <Part text={layer.part} />}
      <div class="attention">
        <HeadGrid layers={layers} order={order.value} tokens={tokens.length} shown={{ layer: index, head }} />
        <HeadMap
          run={run}
          layer={index}
          head={head}
          pool={pool.value}
          causal={causal}
          arcs={reading.arcs}
          selectedKey={key}
          onCell={chooseCell}
        />
        <Details
          tokens={tokens}
          name={`${index}.${head}`}
          query={query}
          selectedKey={key}
          reading={reading}
          onQuery={(next) => chooseCell({ row: next, col: query ?? 0 })}
          onKey={(next) => {
            chosen.value = next;
          }}
        >
          <EdgeDetails
            tokens={tokens}
            layer={index}
            found={reading.edges}
            scope={scopeFor(count)}
            onScope={(next) => {
              scope.value = next;
            }}
            onEdge={(edge) => {
              select({ token: edge.query, layer: edge.layer, head: edge.head });
              chosen.value = edge.key;
            }}
          />
        </Details>
      </div>
    </Frame>
  );
}

const shownOf = <T,>(loadable: Loadable<T> | undefined): T | null => (loadable ? shownValue(loadable) : null);

/** The map is not all that the layer reads: what it is, and where the rest can be looked at. */
const Part = ({ text }: { readonly text: string }) => (
  <p class="quiet part">
    {text}{' '}
    <button type="button" class="link" onClick={() => showInspector('architecture')}>
      Show Architecture
    </button>
  </p>
);

/** The layer's, but of a long run only when somebody asks: all heads of a layer then take their time. */
const scopeFor = (count: number): Scope => scope.value ?? (count < SKETCH_FROM ? 'layer' : 'none');

const layersInScope = (of: Scope, layers: readonly LayerSummary[], layer: number): readonly number[] | null =>
  of === 'none' ? null : of === 'layer' ? [layer] : layers.map(({ index }) => index);

/** Fewer tokens have a pixel each in any panel. */
const POOLED_FROM = 200;

interface ControlsProps {
  readonly layers: readonly LayerSummary[];
  readonly layer: number;
  readonly head: number;
  /** Whether a pixel may stand for several weights. */
  readonly pooled: boolean;
}

function Controls({ pooled, ...shown }: ControlsProps) {
  return (
    <>
      <HeadPicker {...shown} />
      <Dropdown
        label="Heads by"
        labelled
        value={order.value}
        options={ORDERS}
        onChange={(value) => {
          order.value = value;
        }}
      />
      {pooled && (
        <Dropdown
          label="Pixel"
          labelled
          value={pool.value}
          options={POOLS}
          onChange={(value) => {
            pool.value = value;
          }}
        />
      )}
    </>
  );
}

/** [ and ] walk the layers, { and } the heads. */
function moveHead(event: KeyboardEvent, layers: readonly LayerSummary[], layer: number, head: number): void {
  const at = layers.findIndex(({ index }) => index === layer);
  const heads = layers[at]?.heads ?? 1;
  const moves: Record<string, () => void> = {
    '[': () => select({ layer: layers[Math.max(0, at - 1)]?.index ?? layer, head }),
    ']': () => select({ layer: layers[Math.min(layers.length - 1, at + 1)]?.index ?? layer, head }),
    '{': () => select({ layer, head: Math.max(0, head - 1) }),
    '}': () => select({ layer, head: Math.min(heads - 1, head + 1) }),
  };
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  move();
}

mount(Attention);
