import path from 'node:path';
import type { Emit } from '../handlers.types.js';
import type { Rgb } from '../image/rgb.js';
import { idInputs, imageInput, namedInputs, textInputs } from '../inputs.js';
import { requireTokenizer } from '../open.js';
import { type LabError, toLabError } from '../protocol/errors.js';
import type { RunOutputs, RunPicture } from '../protocol/passes.js';
import type { RunDetail, RunId, RunInfo, RunRecipe, RunStatus, TokenInfo } from '../protocol/runs.js';
import { floatsOf } from '../runtime/elements.js';
import type { Inside, Pass, Tensors } from '../runtime/forward.js';
import { saved } from '../runtime/saved.js';
import type { Piece } from '../tokenizer/tokenizer.js';
import { type Exported, type Inspected, type LabRun, noPicture, notReady, titled } from './labRun.js';
import type { LabForward } from './models.js';
import { outputsOf } from './passOutputs.js';
import { cellsOf, patchTokens, textTokens } from './passTokens.js';

interface Given {
  readonly inputs: Tensors;
  readonly picture: Rgb | null;
  readonly pieces: readonly Piece[] | null;
}

interface Read {
  readonly pass: Pass;
  readonly inputs: Tensors;
  readonly outputs: Tensors;
  /** Null when nothing is known of the inside of the model. */
  readonly inside: Inside | null;
  readonly ids: readonly number[];
  readonly picture: RunPicture | null;
}

/** One image or one text that went through a model of one pass, with everything it said. */
export class LivePass implements LabRun {
  readonly #stop = new AbortController();
  #execution: Promise<void> = Promise.resolve();
  #status: RunStatus = 'queued';
  #error: LabError | null = null;
  #tokens: readonly TokenInfo[] = [];
  #read: Read | null = null;
  #tower: string | undefined;
  #ms = 0;

  constructor(
    readonly id: RunId,
    readonly model: LabForward,
    readonly recipe: RunRecipe,
    readonly created: number,
    private readonly emit: Emit,
  ) {}

  get info(): RunInfo {
    return {
      id: this.id,
      model: this.model.id,
      modelName: this.model.info.name,
      created: this.created,
      recipe: this.recipe,
      ...(this.#tower && { tower: this.#tower }),
      status: this.#status,
      error: this.#error?.toData() ?? null,
      promptTokens: this.#tokens.length,
      tokens: this.#tokens.length,
      title: this.#title,
      prefillMs: this.#ms,
      tokensPerSecond: null,
      loss: null,
      divergence: null,
      memory: this.memory,
      reused: 0,
      dropped: false,
    };
  }

  get memory(): number {
    return this.#read?.inside?.bytes ?? 0;
  }

  /** One image or text: what its pass holds is little, and stays. */
  readonly dropped = false;
  readonly busy = true;
  drop = async (): Promise<void> => undefined;

  async use<R>(work: (engine: Inspected) => Promise<R>): Promise<R> {
    return work(this.engine);
  }

  get #title(): string {
    const { image, inputs, prompt, ids } = this.recipe;
    const file = image ?? inputs;
    const text = file === undefined ? (prompt ?? `${ids?.length ?? 0} token ids`) : path.basename(file);
    return titled(text);
  }

  get detail(): RunDetail {
    return { ...this.info, tokenInfos: this.#tokens, next: [] };
  }

  get engine(): Inspected {
    const { inside, ids, pass } = this.#done();
    // Of a graph whose inside nobody knows every value can be read all the same.
    const probes: Inspected['probes'] = async (names, { signal } = {}) =>
      new Map(
        [...(await pass.read(names, signal))].map(([name, tensor]) => [name, { shape: tensor.dims, data: floatsOf(tensor) }]),
      );
    return { layers: inside?.layers ?? [], ids, probes: inside?.probes ?? probes, stateBytes: async () => 0 };
  }

  execute(): Promise<void> {
    this.#execution = this.#execute();
    return this.#execution;
  }

  async #execute(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      this.#become('prefill');
      const started = performance.now();
      this.#read = await this.#pass(await this.#given());
      this.#ms = performance.now() - started;
      this.emit('runs/tokens', { run: this.id, tokens: this.#tokens });
      this.#become('done');
    } catch (error) {
      const failure = toLabError(error);
      if (failure.code !== 'CANCELLED') this.#error = failure;
      this.#become(failure.code === 'CANCELLED' ? 'stopped' : 'failed');
    }
  }

  async #given(): Promise<Given> {
    const { image, inputs: file, prompt, ids } = this.recipe;
    if (file !== undefined) return { inputs: await namedInputs(this.model, file), picture: null, pieces: null };
    if (image !== undefined) {
      const { images, pixels } = await imageInput(this.model, [image]);
      return { inputs: new Map([['pixel_values', pixels]]), picture: images[0]?.picture ?? null, pieces: null };
    }
    if (ids !== null) return { inputs: idInputs(this.model, [ids]), picture: null, pieces: null };
    const inputs = textInputs(this.model, [prompt ?? '']);
    return { inputs, picture: null, pieces: requireTokenizer(this.model).encode(prompt ?? '') };
  }

  async #pass({ inputs, picture, pieces }: Given): Promise<Read> {
    const { signal } = this.#stop;
    const pass = this.model.forward.begin(inputs);
    const outputs = await pass.read(pass.outputs, signal);
    const [tower, inside] = [...(pass.insides ?? [])][0] ?? ['', null];
    if (tower !== '') this.#tower = tower;
    const shown = picture && inside && cellsOf(picture, inside);
    this.#tokens = shown ? patchTokens(shown, inside) : textTokens(this.model, inputs, pieces, outputs);
    return { pass, inputs, outputs, inside, ids: this.#tokens.map(({ id }) => id), picture: shown };
  }

  stop(): void {
    this.#stop.abort();
    if (this.#status === 'queued') this.#become('stopped');
  }

  async close(): Promise<void> {
    this.stop();
    await this.#execution;
    this.#read = null;
  }

  async exported(): Promise<Exported> {
    const { inputs, outputs } = this.#done();
    return new Map([...inputs, ...outputs].map(([name, tensor]) => [name, saved(tensor)]));
  }

  picture(): RunPicture {
    const { picture } = this.#done();
    if (!picture) throw noPicture();
    return picture;
  }

  async outputs(others: readonly LabRun[], signal: AbortSignal): Promise<RunOutputs> {
    const { pass, outputs } = this.#done();
    const met = others.flatMap((run) => (run instanceof LivePass && run.model === this.model && run.#read ? [run] : []));
    // What was given several times is met once, as it was given last.
    const latest = new Map(met.map((run) => [JSON.stringify(run.info.recipe), run]));
    const meets = [...latest.values()].flatMap((run) => {
      const both = pass.with?.((run.#read as Read).pass) ?? null;
      return both ? [{ run: run.id, title: run.info.title, pass: both }] : [];
    });
    return outputsOf(this.model, { tower: this.#tower ?? null, outputs, meets }, signal);
  }

  #done(): Read {
    if (this.#read) return this.#read;
    throw this.#error ?? notReady();
  }

  #become(status: RunStatus): void {
    this.#status = status;
    this.emit('runs/changed', { run: this.info });
  }
}
