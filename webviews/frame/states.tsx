import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { LabErrorData } from '../../server/protocol/errors.js';
import { errorData, type Progress, request, server } from '../host.js';
import type { Loadable } from './loadable.js';

export interface Action {
  readonly label: string;
  /** The button is busy until the promise that it may give is done; an error is shown beside it. */
  run(): unknown;
}

/** Nothing to show yet: what would be here, and the button that fills it. */
export const Empty = ({ text, action }: { readonly text: ComponentChildren; readonly action?: Action }) => (
  <div class="state" role="note">
    <p>{text}</p>
    {action && <ActionButton action={action} />}
  </div>
);

/** This model has no such thing: why, and where to look instead. */
export const NotPossible = ({ why, action }: { readonly why: ComponentChildren; readonly action?: Action }) => (
  <div class="state" role="note">
    <p>
      <i class="codicon codicon-circle-slash" aria-hidden="true" /> {why}
    </p>
    {action && <ActionButton action={action} />}
  </div>
);

interface LoadingProps {
  readonly what: string;
  readonly progress: Progress | null;
  /** Shows only when it takes longer than a moment: there is something else to look at meanwhile. */
  readonly late?: boolean;
  cancel(): void;
}

/** What is computed, how far it is, and how to stop it. */
export function Loading({ what, progress, late = false, cancel }: LoadingProps) {
  const { done, total } = progress ?? { done: 0, total: 0 };
  return (
    <div class={late ? 'state loading late' : 'state loading'} role="status">
      <p>
        {progress?.what || what}
        {total > 0 && ` ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`}
      </p>
      {total > 0 ? <progress value={done} max={total} /> : <progress />}
      <button type="button" class="link" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}

/** Code, reason, what to do, and a way on. */
export const Failed = ({ error, retry }: { readonly error: LabErrorData; retry?(): void }) => (
  <div class="state failed" role="alert">
    <p>
      <i class="codicon codicon-error" aria-hidden="true" /> {error.message} <code>{error.code}</code>
    </p>
    <p class="hint">{error.hint}</p>
    {error.file && (
      <p class="hint">
        {error.file}
        {error.offset !== undefined && `, byte ${error.offset}`}
      </p>
    )}
    {retry && <ActionButton action={{ label: error.code === 'CANCELLED' ? 'Compute again' : 'Try again', run: retry }} />}
  </div>
);

interface LoadedProps<T> {
  readonly of: Loadable<T>;
  /** What is computed, for the loading state: "Attention of layer 5". */
  readonly what: string;
  readonly empty?: ComponentChildren;
  readonly children: (value: T) => ComponentChildren;
}

/** Draws whichever state a request is in; while loading, the previous picture stays, dimmed, below how far it is when that takes long. */
export function Loaded<T>({ of, what, empty = null, children }: LoadedProps<T>): ComponentChildren {
  switch (of.state) {
    case 'idle':
      return server.value === 'ready' ? empty : <ServerState />;
    case 'failed':
      return <Failed error={of.error} retry={of.retry} />;
    case 'loading':
      if (of.previous === null) return <Loading what={what} progress={of.progress} cancel={of.cancel} />;
      return (
        <>
          {of.progress && <Loading what={what} progress={of.progress} late cancel={of.cancel} />}
          <Shown stale>{children(of.previous)}</Shown>
        </>
      );
    case 'ready':
      return (
        <>
          {null}
          <Shown stale={false}>{children(of.value)}</Shown>
        </>
      );
  }
}

/** The same element before and after: a picture keeps its zoom, its table and the focus when its numbers change. */
const Shown = ({ stale, children }: { readonly stale: boolean; readonly children: ComponentChildren }) => (
  <div class={stale ? 'shown stale' : 'shown'} aria-busy={stale}>
    {children}
  </div>
);

/** The server is not there to ask. */
export function ServerState() {
  const status = server.value;
  if (status === 'stopped')
    return (
      <Empty
        text="The lab server has stopped."
        action={{ label: 'Restart server', run: () => request('host/restartServer', null) }}
      />
    );
  return (
    <div class="state loading" role="status">
      <p>{status === 'restarting' ? 'The lab server restarts; open models and runs are restored' : 'The lab server starts'}</p>
      <progress />
    </div>
  );
}

function ActionButton({ action }: { readonly action: Action }) {
  const busy = useSignal(false);
  const problem = useSignal<LabErrorData | null>(null);
  const run = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await action.run();
    } catch (error) {
      problem.value = errorData(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <button type="button" class="action" disabled={busy.value} aria-busy={busy.value} onClick={() => void run()}>
        {action.label}
      </button>
      {problem.value && <Failed error={problem.value} />}
    </>
  );
}
