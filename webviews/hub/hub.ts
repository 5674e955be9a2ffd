import { computed, type Signal, signal } from '@preact/signals';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { HubPreview } from '../../server/protocol/hub.js';
import type { Loadable } from '../frame/loadable.js';
import { errorData, type Progress, persisted, request } from '../host.js';

const isText = (value: unknown): value is string => typeof value === 'string';

/** What is typed; asked for when the person says so. */
export const model: Signal<string> = persisted('model', '', isText);
export const revision: Signal<string> = persisted('revision', '', isText);

/** The preview of what was asked for last. */
export const preview: Signal<Loadable<HubPreview>> = signal({ state: 'idle' });

export const shown = computed(() => {
  const { value } = preview;
  return value.state === 'ready' ? value.value : value.state === 'loading' ? value.previous : null;
});

let current: AbortController | null = null;

/** Asks for the headers of a model, or of another variant of it. */
export async function look(variant: string | null = null): Promise<void> {
  const name = model.value.trim();
  if (name === '') return;
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const previous = variant === null ? null : shown.value;
  preview.value = { state: 'loading', progress: null, previous, cancel: () => controller.abort() };
  try {
    const asked = { model: name, revision: revision.value.trim() || null, variant };
    const value = await request('hub/preview', asked, { signal: controller.signal });
    if (current === controller) preview.value = { state: 'ready', value };
  } catch (error) {
    if (current === controller) preview.value = { state: 'failed', error: errorData(error), retry: () => void look(variant) };
  }
}

export interface Download {
  readonly progress: Progress | null;
  /** Bytes a second, of the last moments. */
  readonly rate: number | null;
  cancel(): void;
}

export const downloading: Signal<Download | null> = signal(null);
export const problem: Signal<LabErrorData | null> = signal(null);

/** Downloads the variant on screen; then the preview says where it is. */
export async function download({ repo, commit, variant }: HubPreview): Promise<void> {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  const rate = new Rate();
  problem.value = null;
  downloading.value = { progress: null, rate: null, cancel };
  try {
    await request(
      'hub/download',
      { model: repo, revision: downloadRevision(commit), variant },
      {
        signal: controller.signal,
        progress: (progress) => {
          downloading.value = { progress, rate: rate.at(progress.done), cancel };
        },
      },
    );
  } catch (error) {
    problem.value = errorData(error);
  }
  downloading.value = null;
  await look(variant);
}

/** The branch or tag that was asked for, so that the cache remembers where it was; else the commit. */
const downloadRevision = (commit: string): string => revision.value.trim() || shown.value?.revision || commit;

const WINDOW_MS = 4000;

/** Speed over the last few seconds. */
class Rate {
  readonly #seen: { readonly at: number; readonly done: number }[] = [];

  at(done: number): number | null {
    const now = performance.now();
    this.#seen.push({ at: now, done });
    while (this.#seen.length > 2 && now - (this.#seen[0]?.at ?? now) > WINDOW_MS) this.#seen.shift();
    const [first] = this.#seen;
    const passed = first ? now - first.at : 0;
    return first && passed > 500 ? ((done - first.done) / passed) * 1000 : null;
  }
}
