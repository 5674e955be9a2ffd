import { type LabErrorData, toLabError } from '../../server/protocol/errors.js';
import type { EventName, Events } from '../../server/protocol/events.js';
import type { Boot, FromHost, Selection, ToHost } from '../../server/protocol/host.js';

/** Stands where the extension and the server are: answers requests and says events. */
export interface Backend {
  answer(
    method: string,
    params: unknown,
    abort: AbortSignal,
    progress: (done: number, total: number, what: string) => void,
  ): Promise<unknown>;
}

export type Emit = <E extends EventName>(event: E, payload: Events[E]) => void;

const post = (message: FromHost): void => window.postMessage(message, '*');

export const emit: Emit = (event, payload) => post({ kind: 'event', event, payload });

/** Puts `acquireVsCodeApi` and the boot data into the page: the same seam as in the editor. */
export function installFake(boot: Boot, backend: Backend): void {
  const running = new Map<number, AbortController>();
  let selection: Selection = boot.selection;
  const data = document.createElement('script');
  data.id = 'boot';
  data.type = 'application/json';
  data.textContent = JSON.stringify(boot);
  document.body.append(data);

  const answer = async (message: ToHost & { kind: 'request' }): Promise<void> => {
    const { id, method, params } = message;
    if (method === 'host/select') {
      selection = { ...selection, ...(params as Partial<Selection>) };
      post({ kind: 'selection', selection });
      post({ kind: 'result', id, result: null });
      return;
    }
    const controller = new AbortController();
    running.set(id, controller);
    const progress = (done: number, total: number, what: string) => post({ kind: 'progress', id, done, total, what });
    try {
      post({ kind: 'result', id, result: await backend.answer(method, params, controller.signal, progress) });
    } catch (error) {
      const known = error as Partial<LabErrorData>;
      post({ kind: 'error', id, error: typeof known.code === 'string' ? (known as LabErrorData) : toLabError(error).toData() });
    } finally {
      running.delete(id);
    }
  };

  const api = {
    postMessage(message: ToHost) {
      if (message.kind === 'request') void answer(message);
      else if (message.kind === 'cancel') running.get(message.id)?.abort();
    },
    getState: (): unknown => JSON.parse(sessionStorage.getItem('state') ?? 'null'),
    setState: (state: unknown) => sessionStorage.setItem('state', JSON.stringify(state)),
  };
  Object.assign(globalThis, { acquireVsCodeApi: () => api });
}
