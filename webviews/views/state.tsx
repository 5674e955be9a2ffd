import { useSignal } from '@preact/signals';
import type { StateLayer, StateOverview } from '../../server/protocol/inspect.js';
import { recurs as hasState } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import '../charts/inspector.css';
import { bytes } from '../charts/numbers.js';
import { Dropdown } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { versionOf } from '../frame/liveRuns.js';
import { shownValue } from '../frame/loadable.js';
import { mount } from '../frame/mount.js';
import { NoRun } from '../frame/noRun.js';
import { activeModel, activeRun, select, selection } from '../frame/selection.js';
import { Empty, Loaded, NotPossible } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted, showInspector } from '../host.js';
import type { StateShape } from '../state/equation.js';
import { GroupOfLayer } from '../state/group.js';
import '../state/state.css';

const isText = (value: unknown): value is string => typeof value === 'string';
/** Name of the state that is shown; another layer's state of that name, else its matrix. */
const stateName = persisted('stateName', '', isText);

/** What a recurrent layer remembers: its state before and after each token, and the update between them. */
function State() {
  const run = shownValue(activeRun.value);
  const recurs = activeModel.value?.layers.some(hasState) ?? true;
  const overview = useRequest(
    'state/overview',
    run && run.tokens > 0 && recurs ? { run: run.id } : null,
    0,
    run ? versionOf(run) : 0,
  );
  if (!run || run.tokens === 0) return <Nothing />;
  if (!recurs) return <NoState model={run.modelName} />;
  const value = shownValue(overview);
  if (value) return value.layers.length > 0 ? <Layer run={run} overview={value} /> : <NoState model={run.modelName} />;
  return (
    <Frame title="Recurrent state" provenance={null}>
      <Loaded of={overview} what="The states by layer">
        {() => null}
      </Loaded>
    </Frame>
  );
}

function Nothing() {
  return (
    <Frame title="Recurrent state" provenance={null}>
      <Loaded
        of={activeRun.value}
        what="The tokens of the run"
        empty={
          <NoRun
            shows="Shows what a recurrent model such as Mamba or RWKV holds in its state, and how each token changes it."
            fits={hasState}
          />
        }
      >
        {() => <Empty text="This run has no tokens yet." />}
      </Loaded>
    </Frame>
  );
}

const NoState = ({ model }: { readonly model: string }) => (
  <Frame title="Recurrent state" provenance={null}>
    <NotPossible
      why={
        <>
          {model} has no recurrent state: its layers look back at all tokens instead. See{' '}
          <button type="button" class="link" onClick={() => showInspector('attention')}>
            what they attend to
          </button>{' '}
          and{' '}
          <button type="button" class="link" onClick={() => showInspector('cache')}>
            what they cache
          </button>
          .
        </>
      }
    />
  </Frame>
);

function Layer({ run, overview }: { readonly run: RunDetail; readonly overview: StateOverview }) {
  const against = useSignal<number | null>(null);
  const { layers } = overview;
  const layer = layers.find((item) => item.layer >= selection.value.layer) ?? (layers.at(-1) as StateLayer);
  const shape =
    layer.states.find(({ name }) => name === stateName.value) ??
    layer.states.find(({ kind }) => kind === 'matrix') ??
    (layer.states[0] as StateShape);
  const group = Math.min(shape.groups - 1, selection.value.head);
  const step = (by: number) => {
    const next = layers[layers.indexOf(layer) + by];
    if (next) select({ layer: next.layer });
  };
  const toGroup = (to: number) => select({ head: Math.max(0, Math.min(shape.groups - 1, to)) });
  return (
    <GroupOfLayer
      run={run}
      layer={layer}
      shape={shape}
      group={group}
      against={against}
      pickers={<Pickers layers={layers} layer={layer} shape={shape} group={group} toGroup={toGroup} />}
      onKey={(event) => {
        if (event.key === '[') step(-1);
        else if (event.key === ']') step(1);
        else if (event.key === '{') toGroup(group - 1);
        else if (event.key === '}') toGroup(group + 1);
        else return false;
        return true;
      }}
    />
  );
}

interface PickersProps {
  readonly layers: readonly StateLayer[];
  readonly layer: StateLayer;
  readonly shape: StateShape;
  readonly group: number;
  toGroup(group: number): void;
}

function Pickers({ layers, layer, shape, group, toGroup }: PickersProps) {
  return (
    <>
      <Dropdown
        label="Layer"
        labelled
        value={String(layer.layer)}
        options={layers.map((item) => ({ value: String(item.layer), text: `${item.layer} (${item.mixer})` }))}
        onChange={(value) => select({ layer: Number(value) })}
      />
      <Dropdown
        label="State"
        labelled
        value={shape.name}
        options={layer.states.map((state) => ({ value: state.name, text: `${state.name}, ${bytes(state.bytes)}` }))}
        onChange={(value) => {
          stateName.value = value;
        }}
      />
      {shape.groups > 1 && (
        <Dropdown
          label={shape.groupName === 'head' ? 'Head' : 'Channels'}
          labelled
          value={String(group)}
          options={Array.from({ length: shape.groups }, (_, index) => ({ value: String(index), text: groupText(shape, index) }))}
          onChange={(value) => toGroup(Number(value))}
        />
      )}
    </>
  );
}

const groupText = ({ groupName, rows }: StateShape, index: number): string =>
  groupName === 'head' ? String(index) : `${index * rows}–${(index + 1) * rows - 1}`;

mount(State);
