import type { Method, Params, Result } from '../protocol/requests.js';
import type { RunView, Watched } from '../runtime/view.js';

/** Requests about one run that an analysis answers. */
export type AnalysisMethod = Extract<Method, `attention/${string}` | `cache/${string}` | `state/${string}` | `graph/${string}`>;

/** Numbers of a run for one picture. Errors: those of subject.ts, PROBE_*, CANCELLED. */
export type Analysis<M extends AnalysisMethod> = (
  view: RunView,
  params: Omit<Params<M>, 'run'>,
  watched: Watched,
) => Promise<Result<M>>;
