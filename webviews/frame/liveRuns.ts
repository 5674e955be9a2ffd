import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { RunDetail, RunId, RunInfo } from '../../server/protocol/runs.js';
import { errorData, on, request, server } from '../host.js';
import type { Loadable } from './loadable.js';

type Live = Signal<Loadable<RunDetail>>;
const known = new Map<RunId, Live>();
const loads = new Map<RunId, AbortController>();

/** A run with its tokens, which follows it while it generates. The same signal for everyone who asks. */
export function liveRun(run: RunId): ReadonlySignal<Loadable<RunDetail>> {
  const found = known.get(run);
  if (found) return found;
  // Made in its first state, not set to it: a computed may ask, and may not set.
  const live: Live = signal({ state: 'idle' });
  known.set(run, live);
  if (server.peek() === 'ready') queueMicrotask(() => load(run, live));
  return live;
}

function load(run: RunId, live: Live): void {
  loads.get(run)?.abort();
  const controller = new AbortController();
  loads.set(run, controller);
  live.value = { state: 'loading', progress: null, previous: null, cancel: () => controller.abort() };
  request('runs/get', { run }, { signal: controller.signal }).then(
    (value) => {
      if (loads.get(run) === controller) live.value = { state: 'ready', value };
    },
    (error: unknown) => {
      if (loads.get(run) === controller) live.value = { state: 'failed', error: errorData(error), retry: () => load(run, live) };
    },
  );
}

export const isOver = ({ status }: RunInfo): boolean => status === 'done' || status === 'stopped' || status === 'failed';

/** Changes when what views have computed over all tokens of a run is to be computed again: not with every token that the model writes. */
export const versionOf = (run: RunInfo): number => (isOver(run) ? run.tokens : 0);

// After a crash the server has computed the runs again; what is here may be of the one before.
effect(() => {
  if (server.value !== 'ready') return;
  for (const [run, live] of known) load(run, live);
});

on('runs/changed', ({ run }) => {
  const live = known.get(run.id);
  if (live?.value.state !== 'ready') return;
  const before = live.value.value;
  live.value = { state: 'ready', value: { ...before, ...run } };
  // The distribution after the last token is known only at the end.
  if (!isOver(run) || isOver(before)) return;
  request('runs/get', { run: run.id }).then(
    (value) => {
      live.value = { state: 'ready', value };
    },
    () => undefined,
  );
});

on('runs/tokens', ({ run, tokens }) => {
  const live = known.get(run);
  if (live?.value.state !== 'ready') return;
  const tokenInfos = live.value.value.tokenInfos.slice();
  for (const token of tokens) tokenInfos[token.index] = token;
  live.value = { state: 'ready', value: { ...live.value.value, tokenInfos, tokens: tokenInfos.length } };
});

on('runs/removed', ({ run }) => {
  loads.get(run)?.abort();
  loads.delete(run);
  known.delete(run);
});
