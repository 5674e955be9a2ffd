import type { EventName, Events } from './protocol/events.js';
import type { Method, Params, Result } from './protocol/requests.js';

/** What a handler knows of the request it answers. */
export interface RequestContext {
  /** Aborted when the client cancels or goes away; a handler then rejects with CANCELLED. */
  readonly signal: AbortSignal;
  /** `what` in words, `done` of `total` in any unit; costs nothing when the client did not ask. */
  progress(done: number, total: number, what: string): void;
}

export type Handler<M extends Method> = (params: Params<M>, context: RequestContext) => Promise<Result<M>> | Result<M>;

/** One handler a method: a forgotten one does not compile. Errors: LabError; anything else reaches the client as INTERNAL. */
export type Handlers = { readonly [M in Method]: Handler<M> };

export type Emit = <E extends EventName>(event: E, payload: Events[E]) => void;
