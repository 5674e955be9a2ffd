import { useEffect, useRef, useState } from 'preact/hooks';
import { type AnyMethod, errorData, type ParamsOf, type Progress, type ResultOf, request, server } from '../host.js';
import type { Loadable } from './loadable.js';

const IDLE = { state: 'idle' } as const;

/**
 * The answer to a request that follows its parameters: a change cancels the stale one and keeps its picture until the next
 * arrives. `params` null asks nothing. `debounce` (ms) waits for a gesture to settle. What is asked about may change under the
 * same parameters, as a run that goes on: then `version` says so.
 */
export function useRequest<M extends AnyMethod>(
  method: M,
  params: ParamsOf<M> | null,
  debounce = 0,
  version: number | string = 0,
): Loadable<ResultOf<M>> {
  type Value = ResultOf<M>;
  const key = `${method} ${version} ${JSON.stringify(params)}`;
  const [shown, setShown] = useState<{ readonly key: string; readonly is: Loadable<Value> }>({ key, is: IDLE });
  const [attempt, setAttempt] = useState(0);
  const last = useRef<Value | null>(null);
  const controller = useRef<AbortController | null>(null);
  const ready = server.value === 'ready';
  const asks = params !== null && ready;
  const cancel = () => controller.current?.abort();

  useEffect(() => {
    if (params === null || !ready) {
      last.current = null;
      setShown({ key, is: IDLE });
      return;
    }
    let stale = false;
    const own = new AbortController();
    controller.current = own;
    const show = (is: Loadable<Value>) => {
      if (!stale) setShown({ key, is });
    };
    const waiting = (progress: Progress | null) => show({ state: 'loading', progress, previous: last.current, cancel });
    waiting(null);
    const timer = setTimeout(() => {
      request(method, params, { signal: own.signal, progress: waiting }).then(
        (value) => {
          if (!stale) last.current = value;
          show({ state: 'ready', value });
        },
        (error: unknown) => show({ state: 'failed', error: errorData(error), retry: () => setAttempt((n) => n + 1) }),
      );
    }, debounce);
    return () => {
      stale = true;
      clearTimeout(timer);
      own.abort();
    };
  }, [key, attempt, ready]);
  if (!asks) return IDLE;
  // Effects run after the picture is drawn: until then, what is here belongs to the parameters before.
  if (shown.key !== key || shown.is.state === 'idle') return { state: 'loading', progress: null, previous: last.current, cancel };
  return shown.is;
}
