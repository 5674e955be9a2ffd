import { type Signal, signal } from '@preact/signals';
import { cancelled, LabError, type LabErrorData } from '../server/protocol/errors.js';
import type { EventName, Events } from '../server/protocol/events.js';
import type {
  Boot,
  EditorDocument,
  FromHost,
  HostMethod,
  HostRequests,
  InspectorId,
  Prices,
  Selection,
  ServerStatus,
  ToHost,
} from '../server/protocol/host.js';
import type { Method, Params, Result } from '../server/protocol/requests.js';
import { parseFromHost } from './messages.js';

/** What VS Code gives a webview. The development page installs a fake of the same name before this module loads. */
interface VsCodeApi {
  postMessage(message: ToHost): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

export type AnyMethod = Method | HostMethod;
export type ParamsOf<M extends AnyMethod> = M extends Method
  ? Params<M>
  : M extends HostMethod
    ? HostRequests[M]['params']
    : never;
export type ResultOf<M extends AnyMethod> = M extends Method
  ? Result<M>
  : M extends HostMethod
    ? HostRequests[M]['result']
    : never;

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** What is being computed, in words. */
  readonly what: string;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: LabError): void;
  progress: ((progress: Progress) => void) | undefined;
}

const api = acquireVsCodeApi();
const pending = new Map<number, Pending>();
const listeners = new Map<EventName, Set<(payload: never) => void>>();
let lastId = 0;

/** What the extension put into the page. */
export const boot: Boot = JSON.parse(document.getElementById('boot')?.textContent ?? '');
export const selection: Signal<Selection> = signal(boot.selection);
export const server: Signal<ServerStatus> = signal(boot.server);
/** The text of the active editor, for views that follow it. */
export const editorDocument: Signal<EditorDocument | null> = signal(null);
export const prices: Signal<Prices> = signal(boot.prices);

/** Asks the server, or with a `host/` method the extension. Rejects with a LabError; CANCELLED when `signal` aborts. */
export function request<M extends AnyMethod>(method: M, params: ParamsOf<M>, options: RequestOptions = {}): Promise<ResultOf<M>> {
  const { signal: abort, progress } = options;
  if (abort?.aborted) return Promise.reject(cancelled());
  const id = ++lastId;
  return new Promise<ResultOf<M>>((resolve, reject) => {
    const cancel = () => {
      if (!pending.delete(id)) return;
      api.postMessage({ kind: 'cancel', id });
      reject(cancelled());
    };
    const settled = () => abort?.removeEventListener('abort', cancel);
    pending.set(id, {
      resolve: (result) => {
        settled();
        resolve(result as ResultOf<M>);
      },
      reject: (error) => {
        settled();
        reject(error);
      },
      progress,
    });
    abort?.addEventListener('abort', cancel, { once: true });
    api.postMessage({ kind: 'request', id, method, params } as ToHost);
  });
}

/** Listens to what the server says unasked; returns the function that stops listening. */
export function on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): () => void {
  const set = listeners.get(event) ?? new Set();
  listeners.set(event, set);
  set.add(listener as (payload: never) => void);
  return () => set.delete(listener as (payload: never) => void);
}

/** Own changes that the extension has not answered yet, and the newest selection that it said meanwhile. */
let selecting = 0;
let announced: Selection | null = null;

const SELECTED = ['run', 'token', 'layer', 'head', 'tensor'] as const;

/** Changes the selection here at once and, through the extension, in every other view. */
export function select(change: Partial<Selection>): void {
  const next = { ...selection.value, ...change };
  const old = selection.value;
  if (SELECTED.every((key) => next[key] === old[key])) return;
  selection.value = next;
  selecting++;
  void request('host/select', change)
    .catch(() => undefined)
    .then(() => {
      selecting--;
      if (selecting > 0 || announced === null) return;
      selection.value = announced;
      announced = null;
    });
}

/** The echo of an own change must not undo the next one: quick keys would be lost. The last word comes with the last answer. */
function announce(said: Selection): void {
  if (selecting > 0) announced = said;
  else selection.value = said;
}

/** For a button that has no place for an error of its own: the editor tells it. */
export const orTell = (asked: Promise<unknown>): void =>
  void asked.catch((error) => request('host/showError', errorData(error)).catch(() => undefined));

export const showInspector = (inspector: InspectorId): void => orTell(request('host/showInspector', { inspector }));

/** Errors caught anywhere end up as data: what the error state of a view shows. */
export const errorData = (error: unknown): LabErrorData =>
  error instanceof LabError
    ? error.toData()
    : {
        code: 'INTERNAL',
        message: error instanceof Error ? error.message : String(error),
        hint: 'This is a bug in Model Lab. Please report it.',
      };

/**
 * A signal that survives a reload of this view. For navigation only (zoom, scroll, folded parts), never for data.
 * `accepts` says whether a restored value is still one of ours.
 */
export function persisted<T>(key: string, initial: T, accepts: (value: unknown) => value is T): Signal<T> {
  const stored = navigation[key];
  const state = signal<T>(accepts(stored) ? stored : initial);
  state.subscribe((value) => {
    if (navigation[key] === value) return;
    navigation[key] = value;
    saving ??= setTimeout(save, SAVE_AFTER);
  });
  return state;
}

/** Milliseconds: a gesture changes where one is at every frame, and keeping it is a message to the editor. */
const SAVE_AFTER = 100;
const navigation: Record<string, unknown> = restored();
let saving: ReturnType<typeof setTimeout> | undefined;

function restored(): Record<string, unknown> {
  const state = api.getState();
  return typeof state === 'object' && state !== null ? { ...state } : {};
}

function save(): void {
  clearTimeout(saving);
  saving = undefined;
  api.setState({ ...navigation });
}

window.addEventListener('pagehide', () => {
  if (saving !== undefined) save();
});

function receive(message: FromHost): void {
  switch (message.kind) {
    case 'result': {
      const waiting = take(message.id);
      waiting?.resolve(message.result);
      return;
    }
    case 'error':
      take(message.id)?.reject(new LabError(message.error));
      return;
    case 'progress':
      pending.get(message.id)?.progress?.({ done: message.done, total: message.total, what: message.what });
      return;
    case 'event':
      for (const listener of listeners.get(message.event) ?? []) listener(message.payload as never);
      return;
    case 'selection':
      announce(message.selection);
      return;
    case 'document':
      editorDocument.value = message.document;
      return;
    case 'prices':
      prices.value = message.prices;
      return;
    case 'server':
      server.value = message.status;
  }
}

function take(id: number): Pending | undefined {
  const waiting = pending.get(id);
  pending.delete(id);
  return waiting;
}

window.addEventListener('message', (event) => {
  const message = parseFromHost(event.data);
  if (message) receive(message);
});
api.postMessage({ kind: 'ready' });
