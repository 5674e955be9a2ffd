import { computed, effect, signal } from '@preact/signals';
import type { AttentionThumbnails, HeadScores } from '../../server/protocol/attention.js';
import type { Params } from '../../server/protocol/requests.js';
import type { Loadable } from '../frame/loadable.js';
import { activeRun } from '../frame/selection.js';
import { errorData, request } from '../host.js';
import { SKETCH_FROM } from './mapTiles.js';
import { settled } from './settled.js';

type Layer = Loadable<AttentionThumbnails>;

const layers = signal<ReadonlyMap<number, Layer>>(new Map());
/** Overview of each layer that was on screen once. */
export const overview = computed(() => layers.value);

/** Layers that wait for a sketch, and those that wait to be looked at whole: sketches first, so that something is there at once. */
const sketches: number[] = [];
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
  sketches.length = 0;
  busy = false;
  layers.value = new Map();
});

/** Asks for a layer's heads, one layer after the other in the order in which they came on screen. */
export function want(layer: number): void {
  if (layers.value.has(layer)) return;
  set(layer, { state: 'loading', progress: null, previous: null, cancel: () => controller.abort() });
  waiting.push(layer);
  sketches.push(layer);
  void pump();
}

async function pump(): Promise<void> {
  const mine = controller;
  const loaded = activeRun.value;
  if (busy || loaded.state !== 'ready') return;
  busy = true;
  const { id: run } = loaded.value;
  const count = settled(loaded.value).tokenInfos.length;
  while (mine === controller) {
    const sample = sketches.length > 0 && count >= SKETCH_FROM;
    const layer = sample ? sketches.shift() : waiting.shift();
    if (layer === undefined) break;
    await compute({ run, layer, count, sample }, mine);
  }
  if (mine === controller) busy = false;
}

async function compute(params: Params<'attention/thumbnails'>, mine: AbortController): Promise<void> {
  const { layer } = params;
  try {
    const value = await request('attention/thumbnails', params, { signal: mine.signal });
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

/** Whether the scores of a layer are known: a sketch has none. */
export const isScored = (layer: Layer | undefined): boolean => layer?.state === 'ready' && layer.value.scores !== null;

/** Heads that are known, largest score first (entropy: smallest, i.e. sharpest, first). */
export function ranked(known: ReadonlyMap<number, Layer>, order: keyof HeadScores): readonly Head[] {
  const sign = order === 'entropy' ? 1 : -1;
  const heads = Array.from(known.values()).flatMap((layer) =>
    layer.state === 'ready' && layer.value.scores
      ? layer.value.scores.map(
          (scores, head): Head => ({ layer: layer.value.layer, head, score: scores[order], of: layer.value }),
        )
      : [],
  );
  return heads.sort((a, b) => sign * (a.score - b.score) || a.layer - b.layer || a.head - b.head);
}
