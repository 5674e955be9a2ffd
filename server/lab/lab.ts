import { availableParallelism, totalmem } from 'node:os';
import type { Checkpoint } from '../formats/checkpoint.js';
import { openCheckpoint } from '../formats/registry.js';
import type { Emit } from '../handlers.types.js';
import { isHubPath } from '../hub/reference.js';
import type { ServerOptions } from '../options.js';
import { toLabError } from '../protocol/errors.js';
import type { ModelId, RunDtype } from '../protocol/models.js';
import { once } from '../protocol/once.js';
import type { Params } from '../protocol/requests.js';
import type { RunId } from '../protocol/runs.js';
import type { Device } from '../runtime/device.js';
import { chooseProvider, type ProviderChoice } from '../runtime/providers.js';
import type { Watched } from '../runtime/view.js';
import { HubModels } from './hubModels.js';
import { Machines } from './machines.js';
import { type LabModel, Models } from './models.js';
import { Runs } from './runs.js';
import { emptySession, type Session, SessionFile } from './session.js';

const RECENT = 12;
/** Of the machine's memory, for runs, unless a setting says otherwise. */
const RUNS_SHARE = 0.25;

/** Everything behind the handlers: open models, runs, and the session that survives a crash. */
export class Lab {
  readonly models: Models;
  readonly runs: Runs;
  readonly hub: HubModels;
  readonly machines: Machines;
  /** What is on screen, and hovers speak of. */
  active: Params<'language/active'> = { model: null, run: null, layer: 0 };
  /** Folders of the workspace on this machine. */
  folders: readonly string[] = [];
  #recent: readonly string[] = [];
  readonly #file: SessionFile | null;

  constructor(
    readonly device: Device,
    readonly options: ServerOptions,
    private readonly emit: Emit,
  ) {
    this.hub = new HubModels(options.dtype);
    const threads = options.threads ?? availableParallelism();
    this.#file = options.storage === null ? null : new SessionFile(options.storage);
    const runsMemory = () => this.runs.list.reduce((sum, run) => sum + run.info.memory, 0);
    this.models = new Models({
      device,
      threads,
      spinning: options.spinning,
      dtype: options.dtype,
      sessions: options.sessions,
      provider: async () => (await this.provider()).provider,
      memoryLimit: options.memoryLimit,
      runsMemory,
      emit,
    });
    this.machines = new Machines(device, async () => ({
      threads,
      spinning: options.spinning,
      provider: (await this.provider()).provider,
    }));
    this.runs = new Runs(this.models, emit, () => void this.#save(), options.runsMemory ?? totalmem() * RUNS_SHARE);
  }

  /** Where models run, tried out once; that it is not what was asked for is said once. */
  readonly provider = once(async (): Promise<ProviderChoice> => {
    const choice = await chooseProvider(this.device, this.options.provider);
    if (choice.refused) this.emit('notice', { level: 'warning', text: choice.refused.message, error: choice.refused });
    return choice;
  });

  get recent(): readonly string[] {
    return this.#recent;
  }

  async open(path: string, dtype?: RunDtype, watched?: Watched): Promise<LabModel> {
    const model = await this.models.open(path, dtype, watched);
    const { path: opened } = model.checkpoint;
    this.#recent = [opened, ...this.#recent.filter((p) => p !== opened)].slice(0, RECENT);
    await this.#save();
    return model;
  }

  /** There are other models to be found than before. */
  found(): void {
    this.emit('models/changed', { models: this.models.list.map(({ info }) => info) });
  }

  /** What a path says, of this machine or of the Hub; headers only. */
  checkpointAt(path: string, signal: AbortSignal): Promise<Checkpoint> {
    return isHubPath(path) ? this.hub.open(path, signal) : openCheckpoint(path);
  }

  /** Bytes that another model may use. */
  get freeMemory(): number {
    return this.models.free;
  }

  async close(model: ModelId): Promise<void> {
    await this.models.close(model, () => this.runs.removeOf(model));
    await this.#save();
  }

  /**
   * Reads the session. After a crash, opens its models again and computes its runs from their recipes, under their old ids. What fails is
   * told as a notice and left out, so that one bad run cannot end the server again and again.
   */
  async start(): Promise<void> {
    const session = (await this.#file?.load()) ?? emptySession;
    this.#recent = session.recent;
    if (!this.options.restore) return;
    await this.#file?.save({ ...emptySession, recent: session.recent });
    const models: ModelId[] = [];
    const runs: RunId[] = [];
    const attempt = async (restore: () => Promise<void>) => {
      try {
        await restore();
      } catch (error) {
        const failure = toLabError(error);
        this.emit('notice', { level: 'warning', text: failure.message, error: failure.toData() });
      }
    };
    for (const path of session.models) await attempt(async () => void models.push((await this.open(path)).id));
    for (const { id, created, recipe } of session.runs)
      await attempt(async () => void runs.push((await this.runs.start(recipe, { id, created })).id));
    this.emit('restored', { models, runs });
  }

  async dispose(): Promise<void> {
    for (const run of this.runs.list) run.stop();
    await this.device.close();
  }

  async #save(): Promise<void> {
    const session: Session = {
      models: this.models.list.map((m) => m.checkpoint.path),
      runs: this.runs.list.map(({ id, created, info }) => ({
        id,
        created,
        // a run that was stopped is restored as far as it had come
        recipe:
          info.status === 'stopped' ? { ...info.recipe, maxTokens: Math.max(0, info.tokens - info.promptTokens) } : info.recipe,
      })),
      recent: this.#recent,
    };
    await this.#file?.save(session);
  }
}
