import { type CancellationToken, type Connection, LSPErrorCodes, ResponseError } from 'vscode-languageserver/node';
import type { z } from 'zod';
import type { Emit, Handler, Handlers, RequestContext } from './handlers.types.js';
import { cancelled, LabError, type LabErrorData, toLabError } from './protocol/errors.js';
import { EVENT, REQUEST } from './protocol/host.js';
import type { Method, Params } from './protocol/requests.js';
import { schemas } from './schemas.js';

const MAX_ISSUES = 3;

const methodUnknown = (method: unknown) =>
  new LabError({
    code: 'METHOD_UNKNOWN',
    message: `There is no request "${String(method).slice(0, 100)}".`,
    hint: 'The editor extension and its server are of different versions. Reload the window.',
  });

const paramsInvalid = (method: string, issues: readonly z.core.$ZodIssue[]) =>
  new LabError({
    code: 'PARAMS_INVALID',
    message: `${method}: ${issues
      .slice(0, MAX_ISSUES)
      .map(({ path, message }) => `${path.length > 0 ? path.map(String).join('.') : 'params'}: ${message}`)
      .join('; ')}`,
    hint: 'Check the parameters against the request in server/protocol/requests.ts.',
  });

/** Events, to whoever is connected. */
export const emitter =
  (connection: Connection): Emit =>
  (event, payload) => {
    void connection.sendNotification(EVENT, { event, payload }).catch(() => undefined);
  };

/** Answers `lab/request` with these handlers: validates, passes on cancellation and progress, turns every error into a coded one. */
export function serve(connection: Connection, handlers: Handlers): void {
  const emit = emitter(connection);
  connection.onRequest(REQUEST, async (envelope: unknown, token: CancellationToken) => {
    const { signal, dispose } = abortSignal(token);
    try {
      return await dispatch(handlers, envelope, signal, emit);
    } catch (error) {
      const failure = signal.aborted ? cancelled() : toLabError(error);
      if (failure.code === 'INTERNAL') connection.console.error(describe(envelope, failure.cause));
      return responseError(failure);
    } finally {
      dispose();
    }
  });
}

async function dispatch(handlers: Handlers, envelope: unknown, signal: AbortSignal, emit: Emit): Promise<unknown> {
  const { method, params, progress } = (envelope ?? {}) as Partial<Record<'method' | 'params' | 'progress', unknown>>;
  if (typeof method !== 'string' || !Object.hasOwn(schemas, method)) throw methodUnknown(method);
  const known = method as Method;
  const parsed = schemas[known].safeParse(params);
  if (!parsed.success) throw paramsInvalid(known, parsed.error.issues);
  const context: RequestContext = {
    signal,
    progress: (done, total, what) => {
      if (typeof progress === 'string') emit('progress', { token: progress, done, total, what });
    },
  };
  return call(handlers, known, parsed.data, context);
}

/** `params` was parsed by the schema of the same method, which TypeScript cannot follow through a union of methods. */
const call = <M extends Method>(handlers: Handlers, method: M, params: unknown, context: RequestContext) =>
  (handlers[method] as Handler<M>)(params as Params<M>, context);

const responseError = (error: LabError): ResponseError<LabErrorData> =>
  new ResponseError(
    error.code === 'CANCELLED' ? LSPErrorCodes.RequestCancelled : LSPErrorCodes.RequestFailed,
    error.message,
    error.toData(),
  );

function abortSignal(token: CancellationToken): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  const listener = token.onCancellationRequested(() => controller.abort());
  return { signal: controller.signal, dispose: () => listener.dispose() };
}

const describe = (envelope: unknown, cause: unknown): string =>
  `${String((envelope as { method?: unknown } | null)?.method)}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
