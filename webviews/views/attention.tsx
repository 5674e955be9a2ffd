import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { LayerSummary, ModelInfo } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import '../attention/attention.css';
import { CellDetails } from '../attention/cellDetails.js';
import { HeadGrid } from '../attention/headGrid.js';
import { HeadMap } from '../attention/headMap.js';
import { HeadPicker } from '../attention/headPicker.js';
import { RowDetails } from '../attention/rowDetails.js';
import { ORDERS, type Order } from '../attention/thumbnails.js';
import { Dropdown } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { isOver } from '../frame/liveRuns.js';
import { shownValue } from '../frame/loadable.js';
import { mount } from '../frame/mount.js';
import { runSample } from '../frame/sample.js';
import { activeModel, activeRun, select, selection } from '../frame/selection.js';
import { Empty, Loaded, NotPossible } from '../frame/states.js';
import { visibleText } from '../frame/tokenText.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted, request } from '../host.js';

const isOrder = (value: unknown): value is Order => ORDERS.some((order) => order.value === value);
const order = persisted<Order>('order', 'layer', isOrder);
const pool = persisted<'mean' | 'max'>('pool', 'max', (value) => value === 'mean' || value === 'max');

function Attention() {
  return (
    <Loaded
      of={activeRun.value}
      what="The tokens of the run"
      empty={
        <Message title="Attention">
          <Empty
            text="Which tokens each head reads, for every token of a run. Prompt a model in the Prompt & Tokens view, or:"
            action={{ label: 'Prompt the embedded model', run: () => runSample() }}
          />
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

function Run({ run, model }: { readonly run: RunDetail; readonly model: ModelInfo | null }) {
  const title = `Attention of ${run.modelName}`;
  const layers = model?.layers.filter(({ mixer }) => mixer === 'attention') ?? [];
  if (!model)
    return (
      <Message title={title}>
        <NotPossible why="This model was unloaded. Open it again to compute its attention." />
      </Message>
    );
  if (layers.length === 0) {
    const mixer = model.layers[0]?.mixer === 'rwkv' ? 'RWKV time mixing' : 'a selective state space';
    return (
      <Message title={title}>
        <NotPossible
          why={`${model.name} has no attention: its layers mix tokens by ${mixer}. What it remembers is in its state.`}
          action={{
            label: 'Show state',
            run: () => void request('host/showInspector', { inspector: 'state' }).catch(() => undefined),
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

/** While the model writes, its prompt is looked at: the picture would change with each token. */
const settled = (run: RunDetail): RunDetail =>
  isOver(run) ? run : { ...run, tokenInfos: run.tokenInfos.slice(0, run.promptTokens) };

function Heads({ run, layers }: { readonly run: RunDetail; readonly layers: readonly LayerSummary[] }) {
  const layer = layers.find(({ index }) => index === selection.value.layer) ?? layers[0];
  const head = Math.min(selection.value.head, (layer?.heads ?? 1) - 1);
  const index = layer?.index ?? 0;
  const tokens = run.tokenInfos;
  const query = selection.value.token !== null && selection.value.token < tokens.length ? selection.value.token : null;
  const key = useSignal<number | null>(null);
  const of = { run: run.id, layer: index, head };
  const row = useRequest('attention/row', query === null ? null : { ...of, query }, 40);
  const cell = useRequest(
    'attention/cell',
    query === null || key.value === null || key.value > query ? null : { ...of, query, key: key.value },
    40,
  );
  useEffect(() => {
    if (key.value !== null && (query === null || key.value > query)) key.value = null;
  }, [query]);
  const choose = (next: { readonly row: number; readonly col: number }) => {
    select({ token: next.row, layer: index, head });
    key.value = next.col;
  };
  const written = query === null ? '' : ` at token ${query} “${tokens[query] ? visibleText(tokens[query]) : ''}”`;
  const shownRow = shownValue(row);
  const shownCell = shownValue(cell);
  const probe = `blocks.${index}.attn.pattern`;
  const picker = <HeadPicker layers={layers} layer={index} head={head} />;
  return (
    <Frame
      title={`What head ${index}.${head} of ${run.modelName} reads${written}`}
      controls={
        <>
          {picker}
          <Dropdown
            label="Heads by"
            labelled
            value={order.value}
            options={ORDERS}
            onChange={(value) => {
              order.value = value;
            }}
          />
          <Dropdown
            label="Pool"
            labelled
            value={pool.value}
            options={[
              { value: 'max', text: 'max' },
              { value: 'mean', text: 'mean' },
            ]}
            onChange={(value) => {
              pool.value = value;
            }}
          />
        </>
      }
      provenance={shownCell?.provenance ?? shownRow?.provenance ?? null}
      command={{ run: run.id, probes: [probe] }}
      onKey={(event) => {
        if (event.key === 'Escape') {
          if (key.value !== null) key.value = null;
          else select({ token: null });
        } else moveHead(event, layers, index, head);
      }}
    >
      <div class="attention">
        <HeadGrid layers={layers} order={order.value} />
        <HeadMap
          run={run}
          layer={index}
          head={head}
          pool={pool.value}
          row={query === null ? null : shownRow}
          selectedKey={key.value}
          onCell={choose}
        />
        <aside class="details">
          {query === null ? (
            <p class="quiet">Select a token in the strip, or a cell of the map, to see which tokens it reads and why.</p>
          ) : (
            <Loaded of={row} what={`Row ${query} of head ${index}.${head}`}>
              {(value) => (
                <RowDetails
                  tokens={tokens}
                  query={query}
                  row={value}
                  selectedKey={key.value}
                  onKey={(chosen) => {
                    key.value = chosen;
                  }}
                />
              )}
            </Loaded>
          )}
          {query !== null && key.value !== null && (
            <Loaded of={cell} what={`The products of query ${query} and key ${key.value}`}>
              {(value) => <CellDetails tokens={tokens} query={query} selectedKey={key.value ?? 0} cell={value} />}
            </Loaded>
          )}
        </aside>
      </div>
    </Frame>
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
