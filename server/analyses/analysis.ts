import type { Method, Params, Result } from '../protocol/requests.js';
import type { RunView } from '../runtime/view.js';

/** Requests about one run that an analysis answers. */
export type AnalysisMethod = Extract<Method, `attention/${string}` | `cache/${string}` | `state/${string}` | `graph/${string}`>;

export interface AnalysisContext {
  readonly signal: AbortSignal;
  /** `what` in words, `done` of `total` in any unit. */
  progress(done: number, total: number, what: string): void;
}

/** Numbers of a run for one picture. Errors: those of subject.ts, PROBE_*, CANCELLED. */
export type Analysis<M extends AnalysisMethod> = (
  view: RunView,
  params: Omit<Params<M>, 'run'>,
  context: AnalysisContext,
) => Promise<Result<M>>;
