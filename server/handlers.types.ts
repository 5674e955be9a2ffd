import type { EventName, Events } from './protocol/events.js';
import type { Method, Params, Result } from './protocol/requests.js';
import type { Watched } from './runtime/view.js';

/** What a handler knows of the request it answers. The signal is aborted when the client cancels or goes away: it then rejects with CANCELLED. */
export type RequestContext = Watched;

export type Handler<M extends Method> = (params: Params<M>, context: RequestContext) => Promise<Result<M>> | Result<M>;

/** One handler a method: a forgotten one does not compile. Errors: LabError; anything else reaches the client as INTERNAL. */
export type Handlers = { readonly [M in Method]: Handler<M> };

export type Emit = <E extends EventName>(event: E, payload: Events[E]) => void;
