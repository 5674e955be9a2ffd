import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ModelInfo } from '../../server/protocol/models.js';
import type { RunDetail, RunId, RunInfo } from '../../server/protocol/runs.js';
import { errorData, on, request, select, selection, server } from '../host.js';
import type { Loadable } from './loadable.js';

export { select, selection };

/** Token under the pointer or the keyboard's preview; null when nothing is. Never leaves this view. */
export const hover: Signal<number | null> = signal(null);
/** What details are shown for: the preview if there is one, else the selection. */
export const shownToken: ReadonlySignal<number | null> = computed(() => hover.value ?? selection.value.token);

/** Runs of this session, newest first. */
export const runs: Signal<readonly RunInfo[]> = signal([]);
/** Models that are open now. */
export const models: Signal<readonly ModelInfo[]> = signal([]);

const detail: Signal<Loadable<RunDetail>> = signal({ state: 'idle' });
/** The selected run with its tokens, live while it generates. */
export const activeRun: ReadonlySignal<Loadable<RunDetail>> = detail;
/** Model of the selected run; null when it was unloaded since. */
export const activeModel: ReadonlySignal<ModelInfo | null> = computed(() => {
  const loaded = detail.value;
  return loaded.state === 'ready' ? (models.value.find((model) => model.id === loaded.value.model) ?? null) : null;
});
/** Selected layer of the model of the selected run, clamped to its layers. */
export const activeLayer = computed(() => {
  const layers = activeModel.value?.layers ?? [];
  return layers[Math.min(selection.value.layer, layers.length - 1)] ?? null;
});

/** Details of runs that are on screen beside the selected one (Compare). */
export async function runDetail(run: RunId, signal?: AbortSignal): Promise<RunDetail> {
  return request('runs/get', { run }, signal ? { signal } : {});
}

let loading: AbortController | null = null;

function load(run: RunId | null): void {
  loading?.abort();
  if (run === null) {
    detail.value = { state: 'idle' };
    return;
  }
  const controller = new AbortController();
  loading = controller;
  detail.value = { state: 'loading', progress: null, previous: null, cancel: () => controller.abort() };
  runDetail(run, controller.signal).then(
    (value) => {
      if (loading === controller) detail.value = { state: 'ready', value };
    },
    (error: unknown) => {
      if (loading === controller) detail.value = { state: 'failed', error: errorData(error), retry: () => load(run) };
    },
  );
}

const newestFirst = (list: readonly RunInfo[]): RunInfo[] => [...list].sort((a, b) => b.created - a.created);

function refresh(): void {
  void request('runs/list', {}).then((list) => {
    runs.value = newestFirst(list);
  }, ignore);
  void request('models/list', {}).then((list) => {
    models.value = list;
  }, ignore);
}

/** Lists that cannot be had stay as they are: the view of the run says what is wrong. */
const ignore = () => undefined;

const selectedRun = computed(() => selection.value.run);
effect(() => {
  const run = selectedRun.value;
  if (server.value === 'ready') load(run);
});
effect(() => {
  if (server.value === 'ready') refresh();
});

on('models/changed', (event) => {
  models.value = event.models;
});
on('runs/changed', ({ run }) => {
  runs.value = newestFirst([run, ...runs.value.filter((known) => known.id !== run.id)]);
  const loaded = detail.value;
  if (loaded.state !== 'ready' || loaded.value.id !== run.id) return;
  const ended = isOver(run) && !isOver(loaded.value);
  detail.value = { state: 'ready', value: { ...loaded.value, ...run } };
  // The distribution after the last token is known only at the end.
  if (!ended) return;
  void runDetail(run.id).then((value) => {
    if (selectedRun.value === run.id) detail.value = { state: 'ready', value };
  }, ignore);
});
on('runs/removed', ({ run }) => {
  runs.value = runs.value.filter((known) => known.id !== run);
  if (selection.value.run === run) select({ run: null, token: null });
});
on('runs/tokens', ({ run, tokens }) => {
  const loaded = detail.value;
  if (loaded.state !== 'ready' || loaded.value.id !== run) return;
  const tokenInfos = loaded.value.tokenInfos.slice();
  for (const token of tokens) tokenInfos[token.index] = token;
  detail.value = { state: 'ready', value: { ...loaded.value, tokenInfos, tokens: tokenInfos.length } };
});

const isOver = (run: RunInfo): boolean => run.status === 'done' || run.status === 'stopped' || run.status === 'failed';
