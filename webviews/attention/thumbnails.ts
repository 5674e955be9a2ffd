import { computed, effect, signal } from '@preact/signals';
import type { AttentionThumbnails, HeadScores } from '../../server/protocol/inspect.js';
import type { Loadable } from '../frame/loadable.js';
import { activeRun } from '../frame/selection.js';
import { errorData, request } from '../host.js';

/** Pixels a side that the server pools a head to. */
export const THUMBNAIL = 48;

type Layer = Loadable<AttentionThumbnails>;

const layers = signal<ReadonlyMap<number, Layer>>(new Map());
/** Overview of each layer that was on screen once. */
export const overview = computed(() => layers.value);

const waiting: number[] = [];
let controller = new AbortController();
let busy = false;

/** Run and length whose pictures these are: a run that grows has new ones when it is over. */
const subject = computed(() => {
  const loaded = activeRun.value;
  if (loaded.state !== 'ready') return null;
  const { id, status, tokenInfos } = loaded.value;
  return JSON.stringify({ run: id, tokens: status === 'decode' ? 'growing' : tokenInfos.length });
});

effect(() => {
  void subject.value;
  controller.abort();
  controller = new AbortController();
  waiting.length = 0;
  busy = false;
  layers.value = new Map();
});

/** Asks for a layer's heads, one layer after the other in the order in which they came on screen. */
export function want(layer: number): void {
  if (layers.value.has(layer)) return;
  set(layer, { state: 'loading', progress: null, previous: null, cancel: () => controller.abort() });
  waiting.push(layer);
  void pump();
}

async function pump(): Promise<void> {
  const mine = controller;
  const loaded = activeRun.value;
  if (busy || loaded.state !== 'ready') return;
  busy = true;
  for (let layer = waiting.shift(); layer !== undefined && mine === controller; layer = waiting.shift())
    await compute(loaded.value.id, layer, mine);
  if (mine === controller) busy = false;
}

async function compute(run: string, layer: number, mine: AbortController): Promise<void> {
  try {
    const value = await request('attention/thumbnails', { run, layer, size: THUMBNAIL }, { signal: mine.signal });
    if (mine === controller) set(layer, { state: 'ready', value });
  } catch (error) {
    if (mine === controller) set(layer, { state: 'failed', error: errorData(error), retry: () => again(layer) });
  }
}

function again(layer: number): void {
  const next = new Map(layers.value);
  next.delete(layer);
  layers.value = next;
  if (controller.signal.aborted) controller = new AbortController();
  want(layer);
}

function set(layer: number, state: Layer): void {
  layers.value = new Map(layers.value).set(layer, state);
}

export type Order = 'layer' | keyof HeadScores;
export const ORDERS: readonly { readonly value: Order; readonly text: string }[] = [
  { value: 'layer', text: 'layer' },
  { value: 'induction', text: 'induction' },
  { value: 'previous', text: 'previous token' },
  { value: 'sink', text: 'first token' },
  { value: 'entropy', text: 'entropy' },
];

export interface Head {
  readonly layer: number;
  readonly head: number;
  readonly score: number;
  readonly of: AttentionThumbnails;
}

/** Heads that are known, largest score first (entropy: smallest, i.e. sharpest, first). */
export function ranked(known: ReadonlyMap<number, Layer>, order: keyof HeadScores): readonly Head[] {
  const sign = order === 'entropy' ? 1 : -1;
  const heads = Array.from(known.values()).flatMap((layer) =>
    layer.state === 'ready'
      ? layer.value.scores.map(
          (scores, head): Head => ({ layer: layer.value.layer, head, score: scores[order], of: layer.value }),
        )
      : [],
  );
  return heads.sort((a, b) => sign * (a.score - b.score) || a.layer - b.layer || a.head - b.head);
}
