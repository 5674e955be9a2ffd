import type { CacheLayer, CacheOverview, CacheSlice } from '../../server/protocol/inspect.js';
import { caches } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import '../cache/cache.css';
import '../charts/inspector.css';
import { NormMap, Received } from '../cache/maps.js';
import { Budget, BytesByLayer, kept } from '../cache/overview.js';
import { rowNames } from '../cache/rowNames.js';
import { Sharing, sharing } from '../cache/sharing.js';
import { Slice } from '../cache/slice.js';
import { many } from '../charts/numbers.js';
import { GUTTER } from '../charts/vector.js';
import { Dropdown } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { versionOf } from '../frame/liveRuns.js';
import { type Loadable, shownValue } from '../frame/loadable.js';
import { mount } from '../frame/mount.js';
import { NoRun } from '../frame/noRun.js';
import { reach } from '../frame/reach.js';
import { activeModel, activeRun, select, selection } from '../frame/selection.js';
import { Empty, Loaded, NotPossible } from '../frame/states.js';
import { TokenStrip } from '../frame/tokenStrip.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted, showInspector } from '../host.js';

const isState = (value: unknown): value is string => typeof value === 'string';
const shownState = persisted<string>('state', 'k', isState);

/** What the KV cache keeps: how much, of which positions, and what is read again. */
function Cache() {
  const run = shownValue(activeRun.value);
  const attends = activeModel.value?.layers.some(caches) ?? true;
  const overview = useRequest(
    'cache/overview',
    run && run.tokens > 0 && attends ? { run: run.id } : null,
    0,
    run ? versionOf(run) : 0,
  );
  if (!run || run.tokens === 0) return <Nothing />;
  if (!attends) return <NoCache model={run.modelName} />;
  const value = shownValue(overview);
  if (value) return <Layer run={run} overview={value} />;
  return (
    <Frame title="KV cache" provenance={null}>
      <Loaded of={overview} what="The cache by layer">
        {() => null}
      </Loaded>
    </Frame>
  );
}

function Nothing() {
  return (
    <Frame title="KV cache" provenance={null}>
      <Loaded
        of={activeRun.value}
        what="The tokens of the run"
        empty={
          <NoRun
            shows="Shows which keys and values each attention layer keeps, how large they are and which are read again."
            fits={caches}
          />
        }
      >
        {() => <Empty text="This run has no tokens yet." />}
      </Loaded>
    </Frame>
  );
}

const NoCache = ({ model }: { readonly model: string }) => (
  <Frame title="KV cache" provenance={null}>
    <NotPossible
      why={`${model} has no attention layers, so it keeps no keys and values: its memory is a recurrent state of fixed size.`}
      action={{
        label: 'Show its state',
        run: () => showInspector('state'),
      }}
    />
  </Frame>
);

function Layer({ run, overview }: { readonly run: RunDetail; readonly overview: CacheOverview }) {
  const { layers } = overview;
  const layer = nearest(layers, selection.value.layer);
  const at = layer && { run: run.id, layer: layer.layer };
  const names = layer?.rows.map(({ name }) => name) ?? [];
  const state = names.find((name) => name === shownState.value) ?? names[0] ?? 'k';
  const kvHead = layer ? Math.min(layer.kvHeads - 1, Math.floor(selection.value.head / (layer.heads / layer.kvHeads))) : 0;
  const token = Math.min(run.tokens - 1, selection.value.token ?? run.tokens - 1);
  const isKept = layer !== undefined && token >= layer.first && token < layer.first + layer.kept;
  const map = useRequest('cache/map', at ? { ...at, state } : null, 0, versionOf(run));
  const received = useRequest('cache/received', at ?? null, 0, versionOf(run));
  const slice = useRequest('cache/slice', at && isKept ? { ...at, kvHead, token } : null, 60);
  if (!layer) return <NoCache model={run.modelName} />;

  const step = (by: number) => {
    const next = layers[layers.indexOf(layer) + by];
    if (next) select({ layer: next.layer });
  };
  const readers = layer.heads / layer.kvHeads;
  const toKvHead = (k: number) => select({ head: Math.max(0, Math.min(layer.kvHeads - 1, k)) * readers });
  const onKey = (event: KeyboardEvent) => {
    if (event.key === '[') step(-1);
    else if (event.key === ']') step(1);
    else if (event.key === '{') toKvHead(kvHead - 1);
    else if (event.key === '}') toKvHead(kvHead + 1);
    else if (event.key === 'k' || event.key === 'v') shownState.value = names[event.key === 'k' ? 0 : 1] ?? state;
  };
  return (
    <Frame
      title={`What layer ${layer.layer} of ${run.modelName} keeps after ${many(run.tokens, 'token')}`}
      controls={<Controls layers={layers} layer={layer} state={state} />}
      provenance={shownValue(map)?.provenance ?? overview.provenance}
      command={{ run: run.id, probes: names.map((name) => `blocks.${layer.layer}.state.${name}`) }}
      onKey={onKey}
    >
      <Budget overview={overview} tokens={run.tokens} />
      <div class="cache-layout">
        <Side overview={overview} layer={layer} kvHead={kvHead} onKvHead={toKvHead} />
        <div class="cache-main" style={{ '--gutter': `${GUTTER}px` }}>
          <TokenStrip tokens={run.tokenInfos} label="Positions in the cache" />
          <Loaded of={map} what={`Norms of ${rowNames(state).long} in layer ${layer.layer}`}>
            {(value) => <NormMap map={value} state={state} tokens={run.tokenInfos} layer={layer} />}
          </Loaded>
          <Loaded of={received} what={`Attention received in layer ${layer.layer}`}>
            {(value) => <Received received={value} tokens={run.tokenInfos} layer={layer} />}
          </Loaded>
          <h2>
            Slice: token {token}, KV head {kvHead}
          </h2>
          {isKept ? <Kept slice={slice} kvHead={kvHead} token={token} /> : <Gone token={token} />}
        </div>
      </div>
    </Frame>
  );
}

interface SideProps {
  readonly overview: CacheOverview;
  readonly layer: CacheLayer;
  readonly kvHead: number;
  onKvHead(kvHead: number): void;
}

/** How large the cache is layer by layer, and which query heads read which KV head. */
function Side({ overview, layer, kvHead, onKvHead }: SideProps) {
  return (
    <aside class="cache-side">
      <h2>Bytes by layer</h2>
      <BytesByLayer overview={overview} layer={layer.layer} onLayer={(index) => select({ layer: index })} />
      <h2>Sharing</h2>
      <p class="note">{sharing(layer)}</p>
      <Sharing layer={layer} kvHead={kvHead} onKvHead={onKvHead} />
      <p class="note">
        Layer {layer.layer}: {kept(layer)}.
      </p>
    </aside>
  );
}

interface KeptProps {
  readonly slice: Loadable<CacheSlice>;
  readonly kvHead: number;
  readonly token: number;
}

const Kept = ({ slice, kvHead, token }: KeptProps) => (
  <Loaded of={slice} what={`What token ${token} keeps`}>
    {(value) => <Slice slice={value} kvHead={kvHead} token={token} />}
  </Loaded>
);

const Gone = ({ token }: { readonly token: number }) => (
  <p class="note">Token {token} is no longer kept by this layer: what it kept is gone.</p>
);

interface ControlsProps {
  readonly layers: readonly CacheLayer[];
  readonly layer: CacheLayer;
  readonly state: string;
}

function Controls({ layers, layer, state }: ControlsProps) {
  return (
    <>
      <Dropdown
        label="Layer"
        labelled
        value={String(layer.layer)}
        options={layers.map((item) => ({
          value: String(item.layer),
          text: `${item.layer}${reach(item.window, item.chunk ?? undefined)}`,
        }))}
        onChange={(value) => select({ layer: Number(value) })}
      />
      <Dropdown
        label="Map"
        labelled
        value={state}
        options={layer.rows.map(({ name }) => ({ value: name, text: rowNames(name).long }))}
        onChange={(value) => {
          shownState.value = value;
        }}
      />
    </>
  );
}

/** Hybrids have attention in some layers only: the next one at or after the selection, else the last. */
const nearest = (layers: readonly CacheLayer[], layer: number): CacheLayer | undefined =>
  layers.find((item) => item.layer >= layer) ?? layers.at(-1);

mount(Cache);
