import path from 'node:path';
import { handlers } from '../../server/handlers.js';
import { Lab } from '../../server/lab/lab.js';
import type { ServerOptions } from '../../server/options.js';
import type { Method, Params, Result } from '../../server/protocol/requests.js';
import type { RunDetail, RunInfo, RunRecipe } from '../../server/protocol/runs.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { type Fired, Heard } from '../protocol/heard.js';

const models = path.resolve(import.meta.dirname, '../../media/models');
export const embedded = (name: string): string => path.join(models, name);

export interface OpenLab {
  readonly lab: Lab;
  readonly events: readonly Fired[];
  ask<M extends Method>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>>;
  /** The first event, past or future, that `matches`. */
  event(matches: (fired: Fired) => boolean): Promise<Fired>;
  /** Starts a run and waits until it is over. */
  run(recipe: Partial<RunRecipe> & Pick<RunRecipe, 'path'>): Promise<RunDetail>;
  over(run: RunInfo): Promise<RunDetail>;
}

export const recipe = (given: Partial<RunRecipe> & Pick<RunRecipe, 'path'>): RunRecipe => ({
  prompt: given.ids ? null : 'Once upon a time',
  ids: null,
  chat: false,
  maxTokens: 0,
  sampling: { temperature: 0, topK: null, topP: null, seed: null },
  branch: null,
  ...given,
});

/** The lab and its handlers as the server joins them, on a device of this thread. */
export function openLab(options: Partial<ServerOptions> = {}): OpenLab {
  // What somebody has downloaded is no part of a test.
  process.env.HF_HUB_CACHE ??= path.join(models, 'no-cache');
  const heard = new Heard();
  const given = {
    storage: null,
    embedded: models,
    threads: 1,
    provider: 'cpu' as const,
    dtype: 'own' as const,
    spinning: false,
    sessions: null,
    memoryLimit: null,
    runsMemory: null,
    config: {},
    restore: false,
    ...options,
  };
  const lab = new Lab(new LocalDevice(), given, (event, payload) => heard.add({ event, payload } as Fired));
  const answer = handlers(lab);
  const ask: OpenLab['ask'] = async (method, params, signal = new AbortController().signal) =>
    // as it travels to the extension: what cannot be cloned would be lost there
    structuredClone(await answer[method](params as never, { signal, progress: () => undefined })) as never;
  const event: OpenLab['event'] = (matches) => heard.first(matches);
  const over: OpenLab['over'] = async ({ id }) => {
    const ended = ['done', 'stopped', 'failed'];
    await event((f) => f.event === 'runs/changed' && f.payload.run.id === id && ended.includes(f.payload.run.status));
    return ask('runs/get', { run: id });
  };
  const run: OpenLab['run'] = async (of) => over(await ask('runs/start', recipe(of)));
  return { lab, events: heard.events, ask, event, run, over };
}
