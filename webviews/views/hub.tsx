import type { ComponentChildren } from 'preact';
import type { HubPreview } from '../../server/protocol/hub.js';
import '../charts/inspector.css';
import { bytes, count } from '../charts/numbers.js';
import { Button, TextField } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { mount } from '../frame/mount.js';
import { CopyAsCommand } from '../frame/provenance.js';
import { Empty, Failed, Loading, ServerState } from '../frame/states.js';
import { orTell, request, server } from '../host.js';
import { download, downloading, look, model, preview, problem, revision, shown } from '../hub/hub.js';
import '../hub/hub.css';
import { Files, Variants } from '../hub/variants.js';
import { CheckpointBody } from '../weights/checkpoint.js';

/** Small, and open to everybody. */
const EXAMPLE = 'HuggingFaceTB/SmolLM2-135M-Instruct';

/** Codes that a token may help with. */
const WANT_TOKEN = new Set(['HUB_GATED', 'HUB_NOT_FOUND', 'HUB_UNAUTHORIZED', 'HUB_FORBIDDEN', 'HUB_RATE_LIMITED']);

/** A model on the Hugging Face Hub, before anything of it is downloaded. */
function Hub() {
  const value = shown.value;
  return (
    <Frame title={value ? titleOf(value) : 'Open from Hugging Face'} controls={<Ask />} provenance={null}>
      {server.value !== 'ready' ? <ServerState /> : <Answer />}
    </Frame>
  );
}

const titleOf = ({ repo, summary }: HubPreview): string =>
  summary ? `${repo}: ${summary.architecture ?? 'architecture not supported'}, ${count(summary.parameters)} parameters` : repo;

function Ask() {
  return (
    <>
      <TextField
        label="Model"
        value={model.value}
        placeholder="org/name, or the address of its page"
        size={34}
        focused
        onInput={(text) => {
          model.value = text;
        }}
        onEnter={() => void look()}
      />
      <TextField
        label="Revision"
        value={revision.value}
        placeholder="main"
        size={10}
        onInput={(text) => {
          revision.value = text;
        }}
        onEnter={() => void look()}
      />
      <Button onClick={() => void look()} disabled={model.value.trim() === ''} title="Reads the headers; downloads nothing">
        Look
      </Button>
    </>
  );
}

function Answer() {
  const { value: now } = preview;
  const value = shown.value;
  if (now.state === 'failed') return <Refused code={now.error.code} failed={<Failed error={now.error} retry={now.retry} />} />;
  if (now.state === 'loading' && value === null)
    return <Loading what="Headers from the Hub" progress={null} cancel={now.cancel} />;
  if (value === null)
    return (
      <Empty
        text="Reads what a model on the Hub is from its headers (architecture, tensors, whether it runs here) before anything is downloaded; then downloads what you choose, into the cache that Hugging Face's own tools use. Downloads go on where they broke off."
        action={{
          label: `Look at ${EXAMPLE}`,
          run: () => {
            model.value = EXAMPLE;
            return look();
          },
        }}
      />
    );
  return (
    <div class={now.state === 'loading' ? 'shown stale' : 'shown'} aria-busy={now.state === 'loading'}>
      <Repository preview={value} />
    </div>
  );
}

const Refused = ({ code, failed }: { readonly code: string; readonly failed: ComponentChildren }) => (
  <>
    {failed}
    {WANT_TOKEN.has(code) && (
      <button type="button" class="link token-link" onClick={() => orTell(request('host/setHubToken', null).then(() => look()))}>
        Set a Hugging Face token…
      </button>
    )}
  </>
);

function Repository({ preview: value }: { readonly preview: HubPreview }) {
  const { summary, unreadable } = value;
  return (
    <>
      <p class="hub-facts">
        <span>
          {value.revision} is <code title={value.commit}>{value.commit.slice(0, 7)}</code>
        </span>
        {value.private && <span>private</span>}
        {value.gated && <span>gated</span>}
        {value.authorised && <span>with your token</span>}
        {!value.endpoint.endsWith('//huggingface.co') && <span>{value.endpoint}</span>}
        <span class="quiet">{`${bytes(value.fetched)} read for this`}</span>
        {summary && <CopyAsCommand command={{ path: summary.path, options: [] }} />}
      </p>
      {value.memory && <WillItRun memory={value.memory} />}
      <Variants preview={value} />
      <Fetch preview={value} />
      <Files preview={value} />
      {unreadable && <Failed error={unreadable} />}
      {summary && <CheckpointBody key={summary.path} summary={summary} />}
    </>
  );
}

/** Whether there is room for it once it is here. */
function WillItRun({ memory: { needed, free } }: { readonly memory: NonNullable<HubPreview['memory']> }) {
  const fits = needed <= free;
  return (
    <p class={fits ? 'hub-facts' : 'hub-facts too-big'}>
      <span>
        <i class={`codicon codicon-${fits ? 'check' : 'warning'}`} aria-hidden="true" />{' '}
        {`${fits ? 'Runs here' : 'Does not fit'}: it takes ${bytes(needed)} of memory, ${bytes(free)} are free`}
      </span>
    </p>
  );
}

/** What the download takes, and the button that begins it; what is here already opens. */
function Fetch({ preview: value }: { readonly preview: HubPreview }) {
  const chosen = value.variants.find(({ id }) => id === value.variant);
  const busy = downloading.value;
  if (!chosen) return null;
  const { path } = chosen;
  const missing = chosen.bytes - chosen.cached;
  if (busy) return <Busy />;
  return (
    <>
      <div class="fetch">
        {path ? (
          <>
            <Button icon="play" onClick={() => orTell(request('host/runPath', { path }))}>
              Run in Model Lab
            </Button>
            <Button kind="secondary" onClick={() => orTell(request('host/inspectPath', { path }))}>
              Inspect
            </Button>
            <span class="quiet">{path}</span>
          </>
        ) : (
          <>
            <Button icon="cloud-download" disabled={missing > value.cache.free} onClick={() => void download(value)}>
              {`Download ${bytes(missing)}`}
            </Button>
            <span
              class={missing > value.cache.free ? 'too-big' : 'quiet'}
            >{`${bytes(value.cache.free)} free in ${value.cache.folder}`}</span>
          </>
        )}
      </div>
      {problem.value && problem.value.code !== 'CANCELLED' && (
        <Refused code={problem.value.code} failed={<Failed error={problem.value} retry={() => void download(value)} />} />
      )}
      {problem.value?.code === 'CANCELLED' && (
        <p class="note">Cancelled. What has arrived is kept; downloading again goes on from there.</p>
      )}
    </>
  );
}

function Busy() {
  const busy = downloading.value;
  const { done, total, what } = busy?.progress ?? { done: 0, total: 0, what: '' };
  const rate = busy?.rate ?? null;
  return (
    <div class="fetch" role="status">
      {total > 0 ? <progress value={done} max={total} aria-label="Download" /> : <progress aria-label="Download" />}
      <span>{total > 0 ? `${bytes(done)} of ${bytes(total)}` : 'Asking the Hub'}</span>
      {rate !== null && <span class="quiet">{`${bytes(rate)}/s`}</span>}
      <span class="quiet">{what}</span>
      <button type="button" class="link" onClick={() => busy?.cancel()}>
        Cancel
      </button>
    </div>
  );
}

mount(Hub);
