import type { LabErrorData } from './errors.js';
import type { EventName, Events } from './events.js';
import type { Method, Params } from './requests.js';
import type { RunId } from './runs.js';

/** The one selection all views share. It survives reload. */
export interface Selection {
  readonly run: RunId | null;
  readonly token: number | null;
  readonly layer: number;
  /** Head, or channel group of a recurrent layer. */
  readonly head: number;
}

export type InspectorId = 'attention' | 'cache' | 'state' | 'weights' | 'compare';

export type ServerStatus = 'starting' | 'ready' | 'restarting' | 'stopped';

/** What a webview asks of the extension itself; everything else is relayed to the server unread. */
export interface HostRequests {
  'host/select': { readonly params: Partial<Selection>; readonly result: null };
  'host/showInspector': { readonly params: { readonly inspector: InspectorId }; readonly result: null };
  /** Opens the model and leaves the typing to the prompt box. */
  'host/runPath': { readonly params: { readonly path: string }; readonly result: null };
  'host/pickModel': { readonly params: null; readonly result: { readonly path: string } | null };
  /** Copies the command line that computes the numbers of this view. */
  'host/copyCommand': { readonly params: { readonly run: RunId; readonly probes: readonly string[] }; readonly result: null };
  'host/exportRun': { readonly params: { readonly run: RunId }; readonly result: null };
  'host/restartServer': { readonly params: null; readonly result: null };
}

export type HostMethod = keyof HostRequests;

/** Given to a webview when it opens, as JSON in its page. */
export interface Boot {
  readonly view: string;
  readonly selection: Selection;
  readonly server: ServerStatus;
  /** What tokens are coloured by until a view chooses otherwise. */
  readonly colour: 'probability' | 'surprisal';
  /** Paths of the embedded models. */
  readonly embedded: readonly string[];
  /** Folders of the workspace, where models are looked for. */
  readonly folders: readonly string[];
  /** Set for the custom editor of one file. */
  readonly path: string | null;
}

/** Webview → extension. `id` is unique in the webview. */
export type ToHost =
  | {
      readonly kind: 'request';
      readonly id: number;
      readonly method: Method | HostMethod;
      readonly params: Params<Method> | HostRequests[HostMethod]['params'];
    }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'ready' };

/** Extension → webview. */
export type FromHost =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: LabErrorData }
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly total: number; readonly what: string }
  | { readonly kind: 'event'; readonly event: EventName; readonly payload: Events[EventName] }
  | { readonly kind: 'selection'; readonly selection: Selection }
  | { readonly kind: 'server'; readonly status: ServerStatus };

/** On the LSP connection: one method carries every request, one notification every event. */
export const REQUEST = 'lab/request';
export const EVENT = 'lab/event';
export interface Envelope {
  readonly method: Method;
  readonly params: Params<Method>;
  /** Names the request in progress events. */
  readonly progress: string | null;
}
