import { useEffect, useState } from 'preact/hooks';
import type { StateStep } from '../../server/protocol/inspect.js';
import type { Params } from '../../server/protocol/requests.js';
import type { Loadable } from '../frame/loadable.js';
import { errorData, request, server } from '../host.js';

type StepParams = Params<'state/step'>;

interface Asked {
  readonly controller: AbortController;
  readonly answer: Promise<StateStep>;
}

/** Steps kept: enough to go back and forth, at most some tens of megabytes. */
const KEPT = 48;
const known = new Map<string, StateStep>();
const asked = new Map<string, Asked>();

const keyOf = (params: StepParams): string => JSON.stringify(params);

function ask(params: StepParams): Promise<StateStep> {
  const key = keyOf(params);
  const running = asked.get(key);
  if (running) return running.answer;
  const controller = new AbortController();
  const answer = request('state/step', params, { signal: controller.signal });
  asked.set(key, { controller, answer });
  answer
    .then((step) => {
      known.set(key, step);
      const oldest = known.keys().next().value;
      if (known.size > KEPT && oldest !== undefined) known.delete(oldest);
    })
    .catch(() => undefined)
    .finally(() => {
      if (asked.get(key)?.controller === controller) asked.delete(key);
    });
  return answer;
}

/** Stops computing what is neither on screen nor next to it. */
function cancelOthers(wanted: ReadonlySet<string>): void {
  for (const [key, { controller }] of asked) if (!wanted.has(key)) controller.abort();
}

/** The update at one token; its neighbours are computed ahead, so that scrubbing and playing do not wait. */
export function useStep(params: StepParams, tokens: number): Loadable<StateStep> {
  const key = keyOf(params);
  const [shown, setShown] = useState<Loadable<StateStep>>({ state: 'idle' });
  const [attempt, setAttempt] = useState(0);
  const ready = server.value === 'ready';

  useEffect(() => {
    if (ready) return lookAt(params, tokens, setShown, () => setAttempt((n) => n + 1));
    known.clear();
    setShown({ state: 'idle' });
    return;
  }, [key, attempt, ready]);
  return shown;
}

type Change = (before: Loadable<StateStep>) => Loadable<StateStep>;

/** Shows a step, at once where it is known, and asks for its neighbours; what is no neighbour is not computed on. Returns how to look away. */
export function lookAt(params: StepParams, tokens: number, show: (change: Change) => void, again: () => void): () => void {
  const key = keyOf(params);
  const around = neighbours(params, tokens);
  cancelOthers(new Set([params, ...around].map(keyOf)));
  const prefetch = () => {
    for (const next of around) if (!known.has(keyOf(next))) void ask(next).catch(() => undefined);
  };
  const here = known.get(key);
  if (here) {
    show(() => ({ state: 'ready', value: here }));
    prefetch();
    return () => undefined;
  }
  let stale = false;
  const cancel = () => asked.get(key)?.controller.abort();
  show((before) => ({
    state: 'loading',
    progress: null,
    previous: before.state === 'ready' ? before.value : before.state === 'loading' ? before.previous : null,
    cancel,
  }));
  ask(params).then(
    (value) => {
      if (stale) return;
      show(() => ({ state: 'ready', value }));
      prefetch();
    },
    (error: unknown) => {
      if (!stale) show(() => ({ state: 'failed', error: errorData(error), retry: again }));
    },
  );
  return () => {
    stale = true;
  };
}

const neighbours = (params: StepParams, tokens: number): readonly StepParams[] =>
  [params.token + 1, params.token - 1].filter((token) => token >= 0 && token < tokens).map((token) => ({ ...params, token }));
