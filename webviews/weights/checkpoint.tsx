import { effect, useSignal } from '@preact/signals';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { CheckpointSummary } from '../../server/protocol/models.js';
import { Inferred } from '../frame/inferred.js';
import '../charts/inspector.css';
import { bytes, count } from '../charts/numbers.js';
import { Button, Tabs } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { shownValue } from '../frame/loadable.js';
import { selection } from '../frame/selection.js';
import { Failed, Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { boot, errorData, persisted, request } from '../host.js';
import { Compare } from './compare.js';
import { DeclaredState, Ends, Probes } from './declared.js';
import { Fact } from './fact.js';
import { FactsTable } from './facts.js';
import { RunsHere } from './fit.js';
import { byDtype } from './tensorList.js';
import { followsSelection, Tensors, toggleTable } from './tensors.js';
import './weights.css';

type Tab = 'tensors' | 'fit' | 'compare' | 'config' | 'metadata' | 'state' | 'ends' | 'probes';
const TABS: readonly Tab[] = ['tensors', 'fit', 'compare', 'config', 'metadata', 'state', 'ends', 'probes'];
const isTab = (value: unknown): value is Tab => TABS.includes(value as Tab);
const first = isTab(boot.tab) ? boot.tab : boot.compareWith === null ? 'tensors' : 'compare';
const tab = persisted<Tab>('tab', first, isTab);

let wanted = selection.value.tensor;
effect(() => {
  const { tensor } = selection.value;
  if (tensor === wanted || !followsSelection) return;
  wanted = tensor;
  tab.value = 'tensors';
});

/** What is in a checkpoint and whether it runs here, from its header; weights are read only for the tensor that is looked at. */
export function Checkpoint({ path }: { readonly path: string }) {
  const summary = useRequest('models/inspect', { path });
  const value = shownValue(summary);
  if (value) return <Inspected summary={value} />;
  return (
    <Frame title={path.split(/[\\/]/).at(-1) ?? path} provenance={null}>
      <Loaded of={summary} what="The header of the file">
        {() => null}
      </Loaded>
    </Frame>
  );
}

function Inspected({ summary }: { readonly summary: CheckpointSummary }) {
  const { name, architecture, unsupported, parameters } = summary;
  const problem = useSignal<LabErrorData | null>(null);
  const run = async () => {
    problem.value = null;
    try {
      await request('host/runPath', { path: summary.path });
    } catch (error) {
      problem.value = errorData(error);
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === '/') document.querySelector<HTMLInputElement>('.search')?.focus();
    else if (event.key === 't') toggleTable();
    else return;
    event.preventDefault();
  };
  return (
    <Frame
      title={`${name}: ${architecture ?? 'architecture not supported'}, ${count(parameters)} parameters`}
      controls={
        !unsupported && (
          <Button icon="play" title="Opens this model: prompt it in Prompt & Tokens" onClick={() => void run()}>
            Run in Model Lab
          </Button>
        )
      }
      provenance={null}
      onKey={onKey}
    >
      {problem.value && <Failed error={problem.value} retry={() => void run()} />}
      <CheckpointBody summary={summary} />
    </Frame>
  );
}

/** What the header says, and its parts. */
export function CheckpointBody({ summary }: { readonly summary: CheckpointSummary }) {
  const { unsupported, path } = summary;
  // What is not on this machine is compared once it is.
  const tabs = TABS.filter((each) => each !== 'compare' || !path.startsWith('hf://'));
  const shown = tabs.includes(tab.value) ? tab.value : 'tensors';
  return (
    <>
      {unsupported && <CannotRun error={unsupported} />}
      <Header summary={summary} />
      {summary.inferred && <Inferred path={summary.path} inferred={summary.inferred} />}
      <Tabs
        label="Parts of the checkpoint"
        value={shown}
        tabs={tabs.map((value) => ({ value, text: titleOf(value, summary) }))}
        onChange={(value) => {
          tab.value = value;
        }}
      />
      <Part summary={summary} shown={shown} />
    </>
  );
}

function Part({ summary, shown }: { readonly summary: CheckpointSummary; readonly shown: Tab }) {
  switch (shown) {
    case 'tensors':
      return <Tensors summary={summary} />;
    case 'fit':
      return summary.unsupported ? (
        <p class="note">Known only for architectures that Model Lab can run: memory and speed are predicted from the graph.</p>
      ) : (
        <RunsHere path={summary.path} />
      );
    case 'compare':
      return <Compare path={summary.path} />;
    case 'config':
      return (
        <FactsTable
          value={summary.config ?? {}}
          label="Configuration"
          none="This file has no configuration: the architecture was told from the names of its tensors."
        />
      );
    case 'metadata':
      return <FactsTable value={summary.metadata} label="Metadata" none="This file has no metadata." />;
    case 'state':
      return <DeclaredState summary={summary} />;
    case 'ends':
      return <Ends summary={summary} />;
    case 'probes':
      return <Probes probes={summary.probes} />;
  }
}

function titleOf(value: Tab, { tensors, probes }: CheckpointSummary): string {
  switch (value) {
    case 'tensors':
      return `Tensors ${tensors.length.toLocaleString('en')}`;
    case 'fit':
      return 'Runs here?';
    case 'compare':
      return 'Compare';
    case 'config':
      return 'Config';
    case 'metadata':
      return 'Metadata';
    case 'state':
      return 'Declared state';
    case 'ends':
      return 'Inputs, outputs';
    case 'probes':
      return `Probes ${probes.length}`;
  }
}

/** Why, and what is missing, a line each. */
function CannotRun({ error }: { readonly error: LabErrorData }) {
  const [said, ...reasons] = error.message.split('\n• ');
  return (
    <div class="cannot-run" role="note">
      <p>
        <i class="codicon codicon-circle-slash" aria-hidden="true" /> Cannot run: {said} <code>{error.code}</code>
      </p>
      {reasons.length > 0 && (
        <ul aria-label="What is missing">
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      <p class="note">{error.hint} What is below can be read all the same.</p>
    </div>
  );
}

/** Facts that tell at a glance what the file is. */
function Header({ summary }: { readonly summary: CheckpointSummary }) {
  const { format, architecture, parameters, bytes: size, files, tokenizer, layers, tensors } = summary;
  const mixers = [...new Set(layers.map(({ mixer }) => mixer))].map(
    (mixer) => `${layers.filter((layer) => layer.mixer === mixer).length} ${mixer}`,
  );
  return (
    <dl class="statistics">
      <Fact name="format" value={format} />
      <Fact name="architecture" value={architecture ?? 'not supported'} />
      {layers.length > 0 && <Fact name="layers" value={mixers.join(', ')} />}
      <Fact name="parameters" value={parameters.toLocaleString('en')} />
      <Fact
        name="size"
        value={`${bytes(size)}${files.length > 1 ? ` in ${files.length} files` : ''}`}
        title={files.map(({ path }) => path).join('\n')}
      />
      <Fact
        name="types"
        value={byDtype(tensors)
          .map(({ dtype, bytes: part, tensors: many }) => `${dtype} ${bytes(part)} (${many})`)
          .join(', ')}
        title="Bytes and number of tensors by type"
      />
      <Fact
        name="tokenizer"
        value={
          tokenizer ? `${tokenizer.kind}, ${tokenizer.vocabSize.toLocaleString('en')} tokens` : 'none: prompts are token ids'
        }
      />
    </dl>
  );
}
