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
  /** A tensor that somebody went to; it is shown where weights are. */
  readonly tensor?: string;
}

/** Views that open as panels: `webviews/views/ID.tsx`. Their titles are in extension/panels.ts, their commands in package.json. */
export const inspectors = ['attention', 'cache', 'state', 'weights', 'architecture', 'compare', 'tokenizer', 'hub'] as const;
export type InspectorId = (typeof inspectors)[number];

/** The text in the active editor, or the last one that was. Offsets are UTF-16. The server has this version of its text. */
export interface EditorDocument {
  /** Its URI. */
  readonly document: string;
  readonly name: string;
  /** Where it is saved; null for a text without a file, or with changes that are not in it. */
  readonly file: string | null;
  readonly version: number;
  readonly length: number;
  readonly selection: readonly [from: number, to: number];
  /** From the first to the last character in sight. */
  readonly visible: readonly [from: number, to: number];
}

/** Price of a million tokens by vocabulary, in whatever currency the person thinks in. */
export type Prices = Readonly<Record<string, number>>;

export type ServerStatus = 'starting' | 'ready' | 'restarting' | 'stopped';

/** What a webview asks of the extension itself; everything else is relayed to the server unread. */
export interface HostRequests {
  'host/select': { readonly params: Partial<Selection>; readonly result: null };
  'host/showInspector': { readonly params: { readonly inspector: InspectorId }; readonly result: null };
  /** Opens the model and leaves the typing to the prompt box. */
  'host/runPath': { readonly params: { readonly path: string }; readonly result: null };
  /** A PNG or JPEG. */
  'host/pickImage': { readonly params: null; readonly result: { readonly path: string } | null };
  'host/pickModel': { readonly params: null; readonly result: { readonly path: string } | null };
  /** Copies the command line that computes the numbers of this view. */
  'host/copyCommand': { readonly params: { readonly run: RunId; readonly probes: readonly string[] }; readonly result: null };
  /** Asks where to and writes a text file there. */
  'host/saveText': {
    readonly params: { readonly name: string; readonly text: string };
    readonly result: { readonly saved: boolean };
  };
  /** Opens the header view of a model on this machine. */
  'host/inspectPath': { readonly params: { readonly path: string }; readonly result: null };
  /** Asks for the access token of the Hugging Face Hub and keeps it in the editor's secret store. */
  'host/setHubToken': { readonly params: null; readonly result: null };
  /** Selects [from, to) in the editor that shows this document. */
  'host/selectText': {
    readonly params: { readonly document: string; readonly from: number; readonly to: number };
    readonly result: null;
  };
  /** An editor with an empty text. */
  'host/newText': { readonly params: null; readonly result: null };
  'host/copyText': { readonly params: { readonly text: string }; readonly result: null };
  /** Null forgets it. */
  'host/setPrice': { readonly params: { readonly vocabulary: string; readonly price: number | null }; readonly result: null };
  /** Puts a key over those of a checkpoint's config.json, in the settings. */
  'host/tellConfig': {
    readonly params: { readonly path: string; readonly key: string; readonly value: boolean | string };
    readonly result: null;
  };
  'host/restartServer': { readonly params: null; readonly result: null };
  /** Tells the person of an error that a view has no place for. */
  'host/showError': { readonly params: LabErrorData; readonly result: null };
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
  /** Set for the custom editor of one file, and for a view of a model that was asked for by its path. */
  readonly path: string | null;
  /** The checkpoint that the file of a custom editor is to be compared with. */
  readonly compareWith: string | null;
  /** The part of the view that was asked for; null for the first one. */
  readonly tab: string | null;
  readonly prices: Prices;
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
  | { readonly kind: 'server'; readonly status: ServerStatus }
  /** To views that follow the editor. */
  | { readonly kind: 'document'; readonly document: EditorDocument | null }
  | { readonly kind: 'prices'; readonly prices: Prices };

/** On the LSP connection: one method carries every request, one notification every event. */
export const REQUEST = 'lab/request';
export const EVENT = 'lab/event';
export interface Envelope {
  readonly method: Method;
  readonly params: Params<Method>;
  /** Names the request in progress events. */
  readonly progress: string | null;
}
