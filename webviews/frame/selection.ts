import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type LayerSummary, layersOf, type ModelInfo } from '../../server/protocol/models.js';
import type { RunDetail, RunInfo } from '../../server/protocol/runs.js';
import { on, request, select, selection, server } from '../host.js';
import { liveRun } from './liveRuns.js';
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

const selectedRun = computed(() => selection.value.run);
/** The selected run with its tokens, live while it generates. */
export const activeRun: ReadonlySignal<Loadable<RunDetail>> = computed(() =>
  selectedRun.value === null ? { state: 'idle' } : liveRun(selectedRun.value).value,
);
/** Model of the selected run; null when it was unloaded since. */
export const activeModel: ReadonlySignal<ModelInfo | null> = computed(() => {
  const loaded = activeRun.value;
  return loaded.state === 'ready' ? (models.value.find((model) => model.id === loaded.value.model) ?? null) : null;
});
/** The layers that the selected run went through. */
export const activeLayers: ReadonlySignal<readonly LayerSummary[]> = computed(() => {
  const loaded = activeRun.value;
  return layersOf(activeModel.value?.layers ?? [], loaded.state === 'ready' ? loaded.value.tower : undefined);
});

const newestFirst = (list: readonly RunInfo[]): RunInfo[] => [...list].sort((a, b) => b.created - a.created);

/** Lists that cannot be had stay as they are: the view of the run says what is wrong. */
const ignore = () => undefined;

effect(() => {
  if (server.value !== 'ready') return;
  request('runs/list', {}).then((list) => {
    runs.value = newestFirst(list);
  }, ignore);
  request('models/list', {}).then((list) => {
    models.value = list;
  }, ignore);
});

on('models/changed', (event) => {
  models.value = event.models;
});
on('runs/changed', ({ run }) => {
  runs.value = newestFirst([run, ...runs.value.filter((known) => known.id !== run.id)]);
});
on('runs/removed', ({ run }) => {
  runs.value = runs.value.filter((known) => known.id !== run);
  if (selection.value.run === run) select({ run: null, token: null });
});
