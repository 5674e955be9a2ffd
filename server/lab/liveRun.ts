import path from 'node:path';
import type { Saved } from '../formats/writeSafetensors.js';
import type { Emit } from '../handlers.types.js';
import { requireTokenizer } from '../open.js';
import { promptText } from '../prompt.js';
import { type LabError, toLabError } from '../protocol/errors.js';
import type { Alternative, Divergence, RunDetail, RunId, RunInfo, RunRecipe, RunStatus, TokenInfo } from '../protocol/runs.js';
import { idsOfFile } from '../readInputs.js';
import { everyLogits } from '../runtime/everyToken.js';
import { emptyPrompt } from '../runtime/run.js';
import { notNumbers, sample } from '../runtime/sampler.js';
import type { Sequence } from '../runtime/sequence.js';
import { alone, type Watched } from '../runtime/view.js';
import type { Piece } from '../tokenizer/tokenizer.js';
import { type Distribution, distribution } from './distribution.js';
import { type Exported, type LabRun, noOutputs, noPicture, notReady, titled } from './labRun.js';
import type { LabSequence } from './models.js';
import { SharedWork } from './sharedWork.js';
import { idSpeller, promptLoss, type Speller, tokenInfo } from './tokens.js';

/** Ids that are decoded for a title: more than it has characters. */
const TITLE_IDS = 64;
/** Distributions between two reports of progress. */
const TOLD = 64;

const offsetsOf = (piece: Piece | undefined) => ({ start: piece?.start ?? null, end: piece?.end ?? null });

/** Who has computed the first tokens of a prompt already, and how many. */
export interface Lender {
  readonly run: LiveRun;
  readonly tokens: number;
}

/** One run as the lab shows it: the engine's run, its tokens with their distributions, and how it stands. */
export class LiveRun implements LabRun {
  readonly #stop = new AbortController();
  readonly #speller: Speller;
  #engine: Sequence | null = null;
  #execution: Promise<void> = Promise.resolve();
  #status: RunStatus = 'queued';
  #error: LabError | null = null;
  #tokens: TokenInfo[] = [];
  #next: readonly Alternative[] = [];
  #prefillMs = 0;
  #tokensPerSecond: number | null = null;
  #promptTokens = 0;
  #stateBytes = 0;
  #reused = 0;
  /** Who looks at it now. */
  #users = 0;
  #closed = false;
  readonly #shared = new SharedWork();
  #divergence: Divergence | null = null;

  constructor(
    readonly id: RunId,
    readonly model: LabSequence,
    readonly recipe: RunRecipe,
    readonly created: number,
    private readonly emit: Emit,
    private readonly lender: (borrower: LiveRun, ids: readonly number[]) => Lender | null,
  ) {
    this.#speller = model.tokenizer ?? idSpeller;
  }

  get info(): RunInfo {
    return {
      id: this.id,
      model: this.model.id,
      modelName: this.model.info.name,
      created: this.created,
      recipe: this.recipe,
      status: this.#status,
      error: this.#error?.toData() ?? null,
      promptTokens: this.#promptTokens,
      tokens: this.#tokens.length,
      title: this.#title,
      prefillMs: this.#prefillMs,
      tokensPerSecond: this.#tokensPerSecond,
      loss: promptLoss(this.#tokens),
      memory: this.memory,
      reused: this.#reused,
      dropped: this.dropped,
      divergence: this.#divergence,
    };
  }

  get memory(): number {
    return (this.#engine?.bytes ?? 0) + this.#stateBytes;
  }

  get dropped(): boolean {
    return this.#engine?.dropped ?? false;
  }

  get busy(): boolean {
    return this.#users > 0 || ['queued', 'prefill', 'decode'].includes(this.#status);
  }

  async use<R>(work: (engine: Sequence) => Promise<R>, watched: Watched): Promise<R> {
    const { engine } = this;
    this.#users++;
    try {
      if (engine.dropped) await this.#shared.share('restore', watched, (shared) => this.#restore(engine, shared));
      return await work(engine);
    } finally {
      this.#users--;
      await this.#free();
    }
  }

  async #restore(engine: Sequence, { signal, progress }: Watched): Promise<void> {
    const what = `Running the ${engine.ids.length} tokens of this run again: its memory was needed`;
    progress(0, 1, what);
    await engine.restore({ signal, onProgress: (done, total) => progress(done, total, what) });
    await this.#measure(engine);
    this.emit('runs/changed', { run: this.info });
  }

  async drop(): Promise<void> {
    if (this.busy || !this.#engine || this.#engine.dropped) return;
    await this.#engine.drop();
    this.#stateBytes = 0;
    this.emit('runs/changed', { run: this.info });
  }

  /** How many of these ids it has computed, as the first ones; none where it cannot lend them. */
  shared(ids: readonly number[]): number {
    const own = this.#engine?.ids ?? [];
    if (this.dropped || this.#tokens.length < own.length) return 0;
    const differs = ids.findIndex((id, t) => own[t] !== id);
    return differs < 0 ? ids.length : differs;
  }

  /** The prompt's first words; those of a run of ids are decoded, a file has its name. */
  get #title(): string {
    const { prompt, ids, inputs } = this.recipe;
    const file = inputs === undefined ? undefined : path.basename(inputs);
    const text =
      prompt ?? file ?? this.model.tokenizer?.decode(ids?.slice(0, TITLE_IDS) ?? []) ?? `${ids?.length ?? 0} token ids`;
    return titled(text);
  }

  get detail(): RunDetail {
    return { ...this.info, tokenInfos: this.#tokens, next: this.#next };
  }

  /** The engine's run, once there are tokens to look at. Errors: RUN_NOT_READY, or the run's own error. */
  get engine(): Sequence {
    if (this.#engine && this.#engine.ids.length > 0 && this.#tokens.length > 0) return this.#engine;
    throw this.#error ?? notReady();
  }

  /** What `measure` finds for the tokens of the prompt, kept and told. Errors: RUN_NOT_READY, those of measuring. */
  async diverge(
    measure: (engine: Sequence, tokens: number, watched: Watched) => Promise<Divergence>,
    watched: Watched,
  ): Promise<Divergence> {
    if (this.#divergence) return this.#divergence;
    return this.#shared.share('divergence', watched, async (shared) => {
      const found = await this.use((engine) => measure(engine, this.#promptTokens, shared), shared);
      this.#divergence = found;
      this.emit('runs/changed', { run: this.info });
      return found;
    });
  }

  /** Ends within one block; at once while it waits for another run. */
  stop(): void {
    this.#stop.abort();
    if (this.#status === 'queued') this.#become('stopped');
  }

  /** Reads the prompt, then draws tokens until the end, a stop token, or stop(). Never rejects: the run tells its error. */
  execute(): Promise<void> {
    this.#execution = this.#execute();
    return this.#execution;
  }

  async #execute(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      const { ids, pieces } = await this.#prompt();
      if (ids.length === 0) throw emptyPrompt();
      this.#promptTokens = ids.length;
      const { engine, known } = await this.#begin(ids);
      await this.#prefill(engine, ids, pieces, known);
      await this.#decode(engine);
      this.#become('done');
    } catch (error) {
      const failure = toLabError(error);
      if (failure.code !== 'CANCELLED') this.#error = failure;
      this.#become(failure.code === 'CANCELLED' ? 'stopped' : 'failed');
    }
  }

  /** Stops; the state is freed once nothing writes into it and nobody looks at it any more. */
  async close(): Promise<void> {
    this.stop();
    await this.#execution;
    this.#closed = true;
    await this.#free();
  }

  async #free(): Promise<void> {
    if (this.#closed && this.#users === 0) await this.#engine?.close();
  }

  async exported(signal: AbortSignal): Promise<Exported> {
    const { engine } = this;
    const T = engine.ids.length;
    return new Map<string, Saved>([
      ['logits', everyLogits(engine, { from: 0, to: T }, signal)],
      ['input_ids', { shape: [T], data: Int32Array.from(engine.ids) }],
    ]);
  }

  picture(): never {
    throw noPicture();
  }

  async outputs(): Promise<never> {
    throw noOutputs();
  }

  async #prompt(): Promise<{ readonly ids: readonly number[]; readonly pieces: readonly Piece[] | null }> {
    const { ids, inputs, prompt, chat } = this.recipe;
    if (inputs !== undefined) return { ids: await idsOfFile(inputs), pieces: null };
    if (ids !== null) return { ids, pieces: null };
    const tokenizer = requireTokenizer(this.model);
    const pieces = tokenizer.encode(promptText(tokenizer, prompt ?? '', chat), { special: !chat });
    return { ids: pieces.map((p) => p.id), pieces };
  }

  /** Begins with what another run has computed of the same tokens, and what is known of these. */
  async #begin(ids: readonly number[]): Promise<{ readonly engine: Sequence; readonly known: readonly TokenInfo[] }> {
    const { model } = this.model;
    const lender = this.lender(this, ids);
    const quiet = { ...alone, signal: this.#stop.signal };
    const engine = await (lender
      ? lender.run.use((of) => model.start({ of, tokens: lender.tokens, reach: ids.length }), quiet)
      : model.start());
    this.#engine = engine;
    this.#reused = engine.ids.length;
    return { engine, known: lender ? lender.run.#tokens.slice(0, this.#reused) : [] };
  }

  async #prefill(
    engine: Sequence,
    ids: readonly number[],
    pieces: readonly Piece[] | null,
    known: readonly TokenInfo[],
  ): Promise<void> {
    this.#become('prefill');
    const started = performance.now();
    const { signal } = this.#stop;
    const report = (what: string, done: number) =>
      this.emit('runs/progress', { run: this.id, done, total: ids.length, what: `${what}: token` });
    const onProgress = (done: number) => report('Reading the prompt', known.length + done);
    if (known.length < ids.length) await engine.prefill(ids.slice(known.length), { signal, onProgress });
    this.#prefillMs = performance.now() - started;
    const place = (index: number) => ({
      index,
      id: ids[index] as number,
      role: 'prompt' as const,
      piece: pieces?.[index] ?? null,
    });
    const tokens: TokenInfo[] =
      known.length === 0
        ? [tokenInfo(place(0), null, this.#speller)]
        : known.map((info, t) => ({ ...info, role: 'prompt', ...offsetsOf(pieces?.[t]) }));
    await engine.eachLogits(
      { from: Math.max(0, known.length - 1), to: ids.length },
      (t, logits) => {
        if (t % TOLD === 0) report('Distribution after each token', t);
        if (t + 1 < ids.length) tokens.push(tokenInfo(place(t + 1), logits, this.#speller));
        else this.#after(logits);
      },
      signal,
    );
    await this.#measure(engine);
    this.#add(tokens);
    if (this.#next.some(({ probability }) => Number.isNaN(probability))) throw notNumbers();
  }

  async #decode(engine: Sequence): Promise<void> {
    const { maxTokens, sampling } = this.recipe;
    if (maxTokens === 0) return;
    this.#become('decode');
    const started = performance.now();
    let logits = await engine.logits({ from: engine.ids.length - 1, to: engine.ids.length }, this.#stop.signal);
    let said = this.#after(logits);
    for (let step = 0; step < maxTokens; step++) {
      const id = sample(logits, sampling, sampling.seed ?? 0, step);
      const token = tokenInfo({ index: engine.ids.length, id, role: 'generated', piece: null }, logits, this.#speller, said);
      logits = await engine.decode(id, this.#stop.signal);
      this.#tokensPerSecond = ((step + 1) * 1000) / (performance.now() - started);
      said = this.#after(logits);
      this.#add([token]);
      if (this.model.stop.has(id)) break;
    }
    await this.#measure(engine);
  }

  async #measure(engine: Sequence): Promise<void> {
    this.#stateBytes = await engine.stateBytes();
  }

  #after(logits: Float32Array): Distribution {
    const said = distribution(logits, (id) => this.#speller.text(id));
    this.#next = said.alternatives;
    return said;
  }

  #add(tokens: readonly TokenInfo[]): void {
    for (const token of tokens) this.#tokens.push(token); // a long prompt has more than a call takes arguments
    this.emit('runs/tokens', { run: this.id, tokens });
  }

  #become(status: RunStatus): void {
    this.#status = status;
    this.emit('runs/changed', { run: this.info });
  }
}
