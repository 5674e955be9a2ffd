import type { Emit } from '../handlers.types.js';
import { notSequence } from '../open.js';
import { LabError } from '../protocol/errors.js';
import type { ModelId } from '../protocol/models.js';
import type { Divergence, RunId, RunInfo, RunRecipe } from '../protocol/runs.js';
import { ReferenceLogits } from '../runtime/divergence.js';
import { LanguageModel } from '../runtime/languageModel.js';
import type { RunView, Watched } from '../runtime/view.js';
import { ByteCache } from './byteCache.js';
import type { Inspected, LabRun } from './labRun.js';
import { LivePass } from './livePass.js';
import { type Lender, LiveRun } from './liveRun.js';
import { Memo } from './memo.js';
import { type LabModel, type Models, requireUnchanged } from './models.js';
import { createRunView } from './runView.js';

/** Probes kept for views that look at the same thing from several sides. */
const PROBE_CACHE = 256 << 20;

const unknown = (id: RunId) =>
  new LabError({
    code: 'RUN_UNKNOWN',
    message: `There is no run ${id}.`,
    hint: 'It was removed, or its model was unloaded: run the prompt again.',
  });

const noDistributions = () =>
  new LabError({
    code: 'OUTPUTS_NONE',
    message: 'This model says no next token whose distribution could be compared.',
    hint: 'Select a run of a model that goes on token by token.',
  });

const noToken = (token: number, count: number) =>
  new LabError({
    code: 'TOKEN_UNKNOWN',
    message: `There is no token ${token}: they go from 0 to ${count - 1}.`,
    hint: 'Select another one.',
  });

/** All runs. Those of one model wait for each other; those of different models take turns on the device. */
export class Runs {
  readonly #runs = new Map<RunId, LabRun>();
  readonly #queues = new Map<ModelId, Promise<void>>();
  readonly #removals = new Map<RunId, AbortController>();
  readonly #cache = new ByteCache(PROBE_CACHE);
  readonly #memo = new Memo(this.#cache);
  #next = 1;
  /** Those computed or looked at, the last one last. */
  #recent: readonly RunId[] = [];

  constructor(
    private readonly models: Models,
    private readonly emit: Emit,
    private readonly changed: () => void,
    /** Bytes that runs may hold together. */
    private readonly budget: number,
  ) {}

  get list(): readonly LabRun[] {
    return [...this.#runs.values()];
  }

  get(id: RunId): LabRun {
    const run = this.#runs.get(id);
    if (!run) throw unknown(id);
    return run;
  }

  /** Looks at a run, which stays meanwhile; one that was dropped is computed again first. `look` is told to end when the run is removed. Errors: RUN_UNKNOWN, RUN_NOT_READY, CHECKPOINT_CHANGED, CANCELLED. */
  async use<R>(id: RunId, given: Watched, look: (view: RunView, watched: Watched) => R | Promise<R>): Promise<R> {
    const run = this.get(id);
    const { recipe, model } = run;
    this.#touch(id);
    const signals = [given.signal, this.#removals.get(id)?.signal].filter((signal) => signal !== undefined);
    const watched: Watched = { signal: AbortSignal.any(signals), progress: (...told) => given.progress(...told) };
    const work = async (engine: Inspected) => {
      await requireUnchanged(model);
      return look(createRunView({ id, recipe, model: model.info, engine }, this.#memo), watched);
    };
    try {
      return await run.use(work, watched);
    } catch (error) {
      throw this.#runs.get(id) === run ? error : unknown(id);
    } finally {
      await this.#trim();
    }
  }

  #touch(id: RunId): void {
    this.#recent = [...this.#recent.filter((other) => other !== id), id];
  }

  /** Drops runs, and what was computed of them, until the others fit: those first that nobody looked at for longest, never the last one. */
  async #trim(): Promise<void> {
    const age = ({ id }: LabRun) => this.#recent.indexOf(id);
    const held = this.list.filter(({ dropped }) => !dropped).sort((a, b) => age(a) - age(b));
    let total = held.reduce((sum, run) => sum + run.memory, 0);
    for (const run of held.slice(0, -1)) {
      if (total <= this.budget) return;
      const before = run.memory;
      await run.drop();
      if (run.dropped) this.#cache.deletePrefix(`${run.id}/`);
      total -= before - run.memory;
    }
  }

  /** The run of the same model that has computed most of the first tokens. */
  #lenderOf(borrower: LiveRun, ids: readonly number[]): Lender | null {
    const lenders = this.list.flatMap((run): Lender[] =>
      run instanceof LiveRun && run !== borrower && run.model === borrower.model ? [{ run, tokens: run.shared(ids) }] : [],
    );
    const [best] = lenders.sort((a, b) => b.tokens - a.tokens);
    return best && best.tokens > 0 ? best : null;
  }

  /** Opens the model when needed, then runs in the background. A run without a seed gets one, so that it can be repeated. */
  async start(recipe: RunRecipe, as: { readonly id: RunId; readonly created: number } | null = null): Promise<RunInfo> {
    const model = await this.models.open(recipe.path, recipe.dtype);
    const seed = recipe.sampling.seed ?? Math.floor(Math.random() * 2 ** 31);
    const id = as?.id ?? this.#freeId();
    const repeatable = { ...recipe, sampling: { ...recipe.sampling, seed }, dtype: model.info.computed };
    const created = as?.created ?? Date.now();
    const run =
      'forward' in model
        ? new LivePass(id, model, repeatable, created, this.emit)
        : new LiveRun(id, model, repeatable, created, this.emit, (borrower, ids) => this.#lenderOf(borrower, ids));
    this.#runs.set(id, run);
    this.#removals.set(id, new AbortController());
    this.emit('runs/changed', { run: run.info });
    this.#enqueue(model, run);
    this.changed();
    return run.info;
  }

  /** Keeps tokens 0…token−1 of a run and goes on with `id`. Errors: MODEL_ONE_PASS, TOKEN_UNKNOWN, RUN_NOT_READY. */
  async branch(parent: RunId, token: number, id: number): Promise<RunInfo> {
    const run = this.get(parent);
    if (!(run instanceof LiveRun)) throw notSequence(run.model.checkpoint);
    const { engine } = run;
    const { inputs, ...recipe } = run.recipe;
    if (token < 0 || token >= engine.ids.length) throw noToken(token, engine.ids.length);
    const ids = [...engine.ids.slice(0, token), id];
    return this.start({ ...recipe, prompt: null, chat: false, ids, branch: { run: parent, token } });
  }

  /** Measured once; the model in fp32 is in memory only meanwhile. Errors: OUTPUTS_NONE, RUN_NOT_READY, MODEL_TOO_LARGE, CANCELLED. */
  async divergence(id: RunId, watched: Watched): Promise<Divergence> {
    const run = this.get(id);
    if (!(run instanceof LiveRun)) throw noDistributions();
    return run.diverge(async (engine, tokens, { signal, progress }) => {
      const told = (what: string) => (done: number, total: number) => progress(done, total, what);
      const options = { ...(await this.models.engineOptions()), signal, dtype: 'fp32' } as const;
      const model = await LanguageModel.open(run.model.checkpoint, options);
      try {
        const exact = await model.start();
        await exact.prefill(engine.ids.slice(0, tokens), { signal, onProgress: told('Running the prompt in fp32: token') });
        const reference = await ReferenceLogits.of(exact, tokens, signal);
        try {
          return await reference.divergence(engine, { signal, onProgress: told('Comparing distributions: token') });
        } finally {
          await reference.remove();
          await exact.close();
        }
      } finally {
        await model.close();
      }
    }, watched);
  }

  stop(id: RunId): void {
    this.get(id).stop();
  }

  async remove(id: RunId): Promise<void> {
    const run = this.get(id);
    this.#runs.delete(id);
    this.#removals.get(id)?.abort();
    this.#removals.delete(id);
    this.#cache.deletePrefix(`${id}/`);
    await run.close();
    this.emit('runs/removed', { run: id });
    this.changed();
  }

  async removeOf(model: ModelId): Promise<void> {
    for (const run of this.list) if (run.model.id === model) await this.remove(run.id);
    await this.#queues.get(model);
    this.#queues.delete(model);
  }

  #enqueue(model: LabModel, run: LabRun): void {
    const before = this.#queues.get(model.id) ?? Promise.resolve();
    this.#queues.set(
      model.id,
      before.then(async () => {
        if (this.#runs.get(run.id) !== run) return;
        this.#touch(run.id);
        await run.execute();
        await this.#trim();
        this.changed();
      }),
    );
  }

  #freeId(): RunId {
    while (this.#runs.has(`r${this.#next}`)) this.#next++;
    return `r${this.#next++}`;
  }
}
