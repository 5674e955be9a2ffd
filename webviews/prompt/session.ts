import { batch, computed, effect, signal } from '@preact/signals';
import { cancelled, type LabErrorData } from '../../server/protocol/errors.js';
import type { ModelEntry, ModelInfo } from '../../server/protocol/models.js';
import type { RunInfo } from '../../server/protocol/runs.js';
import { activeRun, models, runs, select } from '../frame/selection.js';
import { boot, errorData, on, type Progress, persisted, request, server } from '../host.js';
import { readSampling, type SamplingText, UNCHANGED } from './sampling.js';

const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

/** Path of the model to prompt, also while it is not open. */
export const chosenPath = persisted('path', boot.embedded[0] ?? '', isText);
export const promptText = persisted('prompt', '', isText);
/** Path of the image that a model which reads one is given. */
export const imagePath = persisted('image', '', isText);
export const useChat = persisted('chat', false, isFlag);
/** What the person typed over the model's own sampling. */
export const samplingText = signal<SamplingText>(UNCHANGED);

export const found = signal<readonly ModelEntry[]>([]);
/** Why the last action did not work; shown until the next one. */
export const problem = signal<LabErrorData | null>(null);
/** The model that is being read now. */
export const loading = signal<{ readonly path: string; readonly progress: Progress | null; cancel(): void } | null>(null);
/** Prefill of the selected run. */
export const prefill = signal<Progress | null>(null);

export const chosenModel = computed<ModelInfo | null>(
  () => models.value.find((model) => model.path === chosenPath.value) ?? null,
);
export const isRunning = (run: RunInfo): boolean =>
  run.status === 'queued' || run.status === 'prefill' || run.status === 'decode';
/** The run that can be stopped: the selected one, if it is not over. */
export const running = computed<RunInfo | null>(() => {
  const loaded = activeRun.value;
  return loaded.state === 'ready' && isRunning(loaded.value) ? loaded.value : null;
});

export async function refreshFound(): Promise<void> {
  if (server.value !== 'ready') return;
  found.value = await request('models/find', { folders: boot.folders }).catch(() => found.value);
}

export async function attempt(action: () => Promise<void>): Promise<void> {
  problem.value = null;
  try {
    await action();
  } catch (error) {
    const data = errorData(error);
    if (data.code !== 'CANCELLED') problem.value = data;
  }
}

async function open(path: string): Promise<ModelInfo> {
  const known = models.value.find((model) => model.path === path);
  if (known) return known;
  const controller = new AbortController();
  loading.value = { path, progress: null, cancel: () => controller.abort() };
  try {
    return await request('models/open', { path }, { signal: controller.signal });
  } finally {
    if (loading.value?.path === path) loading.value = null; // another one may be read by now
  }
}

export const choose = (path: string): Promise<void> =>
  attempt(async () => {
    chosenPath.value = path;
    samplingText.value = UNCHANGED;
    // a weight file is known by its folder
    chosenPath.value = (await open(path)).path;
  });

export const pickOther = (): Promise<void> =>
  attempt(async () => {
    const picked = await request('host/pickModel', null);
    if (picked) await choose(picked.path);
  });

export const takes = (model: ModelInfo, input: string): boolean => model.inputs.some(({ name }) => name === input);
/** Images and texts meet in such a model, and every line is a text. */
export const hasTowers = (model: ModelInfo): boolean => model.layers.some(({ tower }) => tower !== undefined);

async function start(path: string): Promise<RunInfo> {
  const model = await open(path);
  const { sampling, maxTokens } = readSampling(samplingText.value, model.sampling);
  const shared = { path: model.path, ids: null, sampling, branch: null };
  if (model.generates)
    return request('runs/start', {
      ...shared,
      prompt: promptText.value,
      chat: useChat.value && model.hasChatTemplate,
      maxTokens,
    });
  const once = { ...shared, chat: false, maxTokens: 0 };
  const lines = hasTowers(model) ? promptText.value.split('\n').filter((line) => line.trim() !== '') : [promptText.value];
  const texts = takes(model, 'input_ids') ? lines : [];
  const image = takes(model, 'pixel_values') ? imagePath.value : '';
  const started: RunInfo[] = [];
  if (image !== '') started.push(await request('runs/start', { ...once, prompt: null, image }));
  for (const prompt of texts) started.push(await request('runs/start', { ...once, prompt }));
  if (!started[0] && takes(model, 'pixel_values'))
    return request('runs/start', { ...once, prompt: null, image: await askImage() });
  return started[0] ?? request('runs/start', { ...once, prompt: promptText.value });
}

async function askImage(): Promise<string> {
  const picked = await request('host/pickImage', null);
  if (!picked) throw cancelled();
  imagePath.value = picked.path;
  return picked.path;
}

export const chooseImage = (): Promise<void> => attempt(async () => void (await askImage()));

export const run = (): Promise<void> =>
  attempt(async () => {
    const started = await start(chosenPath.value);
    show(started);
  });

/** The same prompt through every embedded model, side by side in Compare. */
export const runAll = (): Promise<void> =>
  attempt(async () => {
    const started: RunInfo[] = [];
    for (const path of boot.embedded) started.push(await start(path));
    if (started[0]) show(started[0]);
    await request('host/showInspector', { inspector: 'compare' });
  });

export const stop = (): Promise<void> =>
  attempt(async () => {
    if (running.value) await request('runs/stop', { run: running.value.id });
  });

/** Goes on with `id` in place of `token`; the tokens before it stay. */
export const branch = (from: string, token: number, id: number): Promise<void> =>
  attempt(async () => {
    const branched = await request('runs/branch', { run: from, token, id });
    show(branched, token);
  });

/** Run whose image is in the box. */
let pictured: string | null = null;
effect(() => {
  const loaded = activeRun.value;
  if (loaded.state !== 'ready' || loaded.value.id === pictured) return;
  pictured = loaded.value.id;
  // One that a command or the list of runs brought is the one to go on with, next to texts for instance.
  if (loaded.value.recipe.image !== undefined) imagePath.value = loaded.value.recipe.image;
});

/** An earlier run, with its model and prompt back in the box. */
export function reselect(chosen: RunInfo): void {
  batch(() => {
    show(chosen);
    chosenPath.value = chosen.recipe.path;
    if (chosen.recipe.prompt !== null) promptText.value = chosen.recipe.prompt;
    if (chosen.recipe.image !== undefined) imagePath.value = chosen.recipe.image;
  });
}

export const remove = (unwanted: RunInfo): Promise<void> =>
  attempt(async () => {
    await request('runs/remove', { run: unwanted.id });
  });

function show(shown: RunInfo, token: number | null = null): void {
  batch(() => {
    if (!runs.value.some((known) => known.id === shown.id)) runs.value = [shown, ...runs.value];
    prefill.value = null;
    select({ run: shown.id, token });
  });
}

on('models/loading', ({ path, done, total }) => {
  const now = loading.value;
  if (now?.path === path) loading.value = { ...now, progress: { done, total, what: 'Reading weights' } };
});
let openPaths: ReadonlySet<string> = new Set();
effect(() => {
  const opened = models.value.filter(({ path }) => !openPaths.has(path));
  openPaths = new Set(models.value.map(({ path }) => path));
  // One that a tree, a code lens or the checkpoint editor opened, also before this view was there, is the one to prompt next.
  if (opened.length === 1 && opened[0] && loading.peek() === null) chosenPath.value = opened[0].path;
});
on('models/changed', () => void refreshFound());
on('runs/progress', ({ run: id, done, total, what }) => {
  if (id === running.value?.id) prefill.value = done < total ? { done, total, what } : null;
});
