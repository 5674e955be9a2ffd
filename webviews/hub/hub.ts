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
/** What the preview is of, whatever is typed meanwhile. */
let asked: { readonly model: string; readonly revision: string | null } = { model: '', revision: null };

/** Asks for the headers of what is typed, or of another variant of what is shown. */
export async function look(variant: string | null = null): Promise<void> {
  if (variant === null) asked = { model: model.value.trim(), revision: revision.value.trim() || null };
  if (asked.model === '') return;
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const previous = variant === null ? null : shown.value;
  preview.value = { state: 'loading', progress: null, previous, cancel: () => controller.abort() };
  try {
    const value = await request('hub/preview', { ...asked, variant }, { signal: controller.signal });
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

/** Downloads the variant on screen; then the preview, if it is still of this model, says where it is. */
export async function download({ repo, revision, variant }: HubPreview): Promise<void> {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  const rate = new Rate();
  problem.value = null;
  downloading.value = { progress: null, rate: null, cancel };
  try {
    await request(
      'hub/download',
      // the branch or tag that was looked at, so that the cache remembers where it was
      { model: repo, revision, variant },
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
  if (shown.value?.repo === repo) await look(variant);
}

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
