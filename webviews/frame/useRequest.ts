import { useEffect, useRef, useState } from 'preact/hooks';
import { type AnyMethod, errorData, type ParamsOf, type Progress, type ResultOf, request, server } from '../host.js';
import type { Loadable } from './loadable.js';

/**
 * The answer to a request that follows its parameters: a change cancels the stale one and keeps its picture until the next
 * arrives. `params` null asks nothing. `debounce` (ms) waits for a gesture to settle.
 */
export function useRequest<M extends AnyMethod>(method: M, params: ParamsOf<M> | null, debounce = 0): Loadable<ResultOf<M>> {
  type Value = ResultOf<M>;
  const [shown, setShown] = useState<Loadable<Value>>({ state: 'idle' });
  const [attempt, setAttempt] = useState(0);
  const last = useRef<Value | null>(null);
  const key = JSON.stringify(params);
  const ready = server.value === 'ready';

  useEffect(() => {
    if (params === null || !ready) {
      last.current = null;
      setShown({ state: 'idle' });
      return;
    }
    let stale = false;
    const controller = new AbortController();
    const retry = () => setAttempt((n) => n + 1);
    const cancel = () => controller.abort();
    const waiting = (progress: Progress | null) => setShown({ state: 'loading', progress, previous: last.current, cancel });
    waiting(null);
    const timer = setTimeout(() => {
      request(method, params, { signal: controller.signal, progress: waiting }).then(
        (value) => {
          last.current = value;
          setShown({ state: 'ready', value });
        },
        (error: unknown) => {
          if (!stale) setShown({ state: 'failed', error: errorData(error), retry });
        },
      );
    }, debounce);
    return () => {
      stale = true;
      clearTimeout(timer);
      controller.abort();
    };
  }, [method, key, attempt, ready]);
  return shown;
}
