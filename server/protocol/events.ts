import type { LabErrorData } from './errors.js';
import type { ModelId, ModelInfo } from './models.js';
import type { RunId, RunInfo, TokenInfo } from './runs.js';

/** What the server says without being asked; every view may listen. */
export interface Events {
  'models/changed': { readonly models: readonly ModelInfo[] };
  'models/loading': { readonly path: string; readonly done: number; readonly total: number };
  'runs/changed': { readonly run: RunInfo };
  'runs/removed': { readonly run: RunId };
  /** Tokens in order; prompt tokens arrive in one batch after prefill. */
  'runs/tokens': { readonly run: RunId; readonly tokens: readonly TokenInfo[] };
  /** How far a run has read its prompt, in tokens. */
  'runs/progress': { readonly run: RunId; readonly done: number; readonly total: number; readonly what: string };
  /** How far a request is, for who named it `token`; any other does not get it. */
  progress: { readonly token: string; readonly done: number; readonly total: number; readonly what: string };
  /** Something the person should know that no request asked for. */
  notice: { readonly level: 'info' | 'warning'; readonly text: string; readonly error: LabErrorData | null };
  /** After a crash: what was restored. */
  restored: { readonly models: readonly ModelId[]; readonly runs: readonly RunId[] };
}

export type EventName = keyof Events;
