import type { RequestContext } from '../handlers.types.js';

/** The context of work that nobody cancels or watches. */
export const alone: RequestContext = { signal: new AbortController().signal, progress: () => undefined };
