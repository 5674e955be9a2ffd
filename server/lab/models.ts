import { freemem } from 'node:os';
import type { Checkpoint } from '../formats/checkpoint.js';
import { type Stamp, stampOf, weightStamp } from '../formats/stamp.js';
import { foldBlocks } from '../graph/segment.js';
import type { Emit } from '../handlers.types.js';
import { type OpenForward, type OpenModel, openAny } from '../open.js';
import { LabError } from '../protocol/errors.js';
import type { ModelId, ModelInfo, RunDtype, Sampling } from '../protocol/models.js';
import type { Device } from '../runtime/device.js';
import { dtypeLabel, type ModelOptions, parameterCount } from '../runtime/model.js';
import { alone, type Watched } from '../runtime/view.js';
import { SharedWork } from './sharedWork.js';
import { wholeModel } from './wholeModel.js';

interface Named {
  readonly id: ModelId;
  /** The dtype it was opened for; a graph from a file is computed as its own whatever was asked. */
  readonly asked: RunDtype;
  readonly info: ModelInfo;
  /** Of its files when it was opened. */
  readonly stamp: Stamp;
}

export type LabSequence = OpenModel & Named;
export type LabForward = OpenForward & Named;
export type LabModel = LabSequence | LabForward;

export interface ModelsOptions {
  readonly device: Device;
  readonly threads: number;
  readonly spinning: boolean;
  /** Of models that are opened without one. */
  readonly dtype: RunDtype;
  readonly sessions: number | null;
  /** Where models run; settled before the first is opened. */
  readonly provider: () => Promise<string>;
  /** Bytes for all models and runs together; null: what is free now. */
  readonly memoryLimit: number | null;
  /** Bytes that runs hold now. */
  readonly runsMemory: () => number;
  readonly emit: Emit;
}

const notOpen = (id: ModelId) =>
  new LabError({
    code: 'MODEL_UNKNOWN',
    message: `There is no open model ${id}.`,
    hint: 'It may have been unloaded: open it again.',
  });

const changedOnDisk = ({ name, path }: Checkpoint) =>
  new LabError({
    code: 'CHECKPOINT_CHANGED',
    message: `The weights of ${name} have changed on disk since they were opened: what is computed from them now belongs to no run from before.`,
    hint: 'Run the prompt again, which opens the new weights, and unload the old ones.',
    file: path,
  });

/** Errors: CHECKPOINT_CHANGED. */
export async function requireUnchanged({ checkpoint, stamp }: LabModel): Promise<void> {
  if ((await weightStamp(checkpoint)) !== stamp.weights) throw changedOnDisk(checkpoint);
}

/** Models in memory, one for each checkpoint and dtype, however often it is asked for. */
export class Models {
  readonly #open = new Map<ModelId, LabModel>();
  readonly #opening = new SharedWork();
  /** The loads and closings asked for so far. A load waits for them: what they take and free counts for it, and two at once are no faster. */
  #before: Promise<unknown> = Promise.resolve();
  #next = 1;

  constructor(private readonly options: ModelsOptions) {}

  get list(): readonly LabModel[] {
    return [...this.#open.values()];
  }

  /** Bytes that one more model may use. */
  get free(): number {
    const { memoryLimit, runsMemory } = this.options;
    const used = this.list.reduce((sum, m) => sum + m.info.memory, runsMemory());
    return memoryLimit === null ? freemem() : Math.min(memoryLimit - used, freemem());
  }

  get(id: ModelId): LabModel {
    const model = this.#open.get(id);
    if (!model) throw notOpen(id);
    return model;
  }

  at(path: string, dtype: RunDtype = this.options.dtype): LabModel | null {
    return this.list.findLast((m) => m.checkpoint.path === path && (m.asked === dtype || m.info.computed === dtype)) ?? null;
  }

  /**
   * Opens a checkpoint, or returns it when it is open and its files are what they were; two callers at once share one opening, which ends when both have cancelled.
   * Errors: those of Model.open, CANCELLED.
   */
  async open(path: string, dtype: RunDtype = this.options.dtype, watched: Watched = alone): Promise<LabModel> {
    const real = await wholeModel(path);
    const load = (shared: Watched) => this.#counted(this.#before.then(() => this.#load(real, dtype, shared)));
    return (await this.#current(real, dtype)) ?? this.#opening.share(`${dtype} ${real}`, watched, load);
  }

  async #current(path: string, dtype: RunDtype): Promise<LabModel | null> {
    const open = this.at(path, dtype);
    if (!open) return null;
    const { weights, beside } = await stampOf(open.checkpoint);
    return weights === open.stamp.weights && beside === open.stamp.beside ? open : null;
  }

  /** Nobody finds it from now on; it is freed once `before` has let go of it. Errors: MODEL_UNKNOWN. */
  async close(id: ModelId, before: () => Promise<void>): Promise<void> {
    const open = this.get(id);
    this.#open.delete(id);
    await this.#counted(before().then(() => ('model' in open ? open.model : open.forward).close()));
    this.#changed();
  }

  #counted<R>(work: Promise<R>): Promise<R> {
    this.#before = Promise.allSettled([this.#before, work]);
    return work;
  }

  async #load(path: string, dtype: RunDtype, { signal, progress }: Watched): Promise<LabModel> {
    const onProgress = (done: number, total: number) => {
      this.options.emit('models/loading', { path, done, total });
      progress(done, total, 'Loading weights');
    };
    const opened = await openAny(path, { ...(await this.engineOptions()), dtype, onProgress, signal });
    const id = `m${this.#next++}`;
    const model = { ...opened, id, asked: dtype, info: describe(id, opened, dtype), stamp: await stampOf(opened.checkpoint) };
    this.#open.set(id, model);
    this.#changed();
    return model;
  }

  /** What models are opened with now, in the memory that is left. */
  async engineOptions(): Promise<ModelOptions> {
    const { device, threads, spinning, sessions, provider } = this.options;
    return {
      device,
      threads,
      spinning,
      ...(sessions !== null && { inspections: sessions }),
      provider: await provider(),
      memoryLimit: this.free,
    };
  }

  #changed(): void {
    this.options.emit('models/changed', { models: this.list.map((m) => m.info) });
  }
}

function dtypesOf(opened: OpenModel | OpenForward): Pick<ModelInfo, 'dtype' | 'computed'> {
  const { dtype: computed } = 'forward' in opened ? opened.forward : opened.model;
  return { dtype: dtypeLabel(opened.checkpoint, computed), computed };
}

const greedy: Sampling = { temperature: 0, topK: null, topP: null, seed: null };

function describe(id: ModelId, opened: OpenModel | OpenForward, asked: RunDtype): ModelInfo {
  const { checkpoint, tokenizer } = opened;
  const dtypes = dtypesOf(opened);
  const shared = {
    id,
    path: checkpoint.path,
    name: checkpoint.name,
    parameters: parameterCount(checkpoint),
    ...dtypes,
    ...(dtypes.computed !== asked && { ignoredDtype: asked }),
    hasTokenizer: tokenizer !== null,
  };
  if ('forward' in opened) return { ...shared, ...describeForward(opened) };
  const { model, sampling } = opened;
  return {
    ...shared,
    family: model.family,
    ...(model.inferred?.length && { inferred: model.inferred }),
    provider: model.provider,
    memory: model.memory,
    vocabSize: model.vocab,
    dModel: model.dModel,
    contextLength: model.context,
    layers: model.layers.map(({ attention, ...layer }) => layer),
    inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
    outputs: ['logits'],
    generates: true,
    probes: foldBlocks(model.probes),
    hasChatTemplate: tokenizer?.renderChat !== null && tokenizer !== null,
    sampling,
  };
}

function describeForward({ forward, checkpoint }: OpenForward) {
  const said = (key: string): number => {
    const { text_config: text } = checkpoint.config ?? {};
    const found = [checkpoint.config, text as Checkpoint['config']].map((part) => part?.[key]).find((n) => typeof n === 'number');
    return typeof found === 'number' ? found : 0;
  };
  return {
    family: forward.family,
    provider: forward.provider,
    memory: forward.memory,
    vocabSize: said('vocab_size'),
    dModel: said('hidden_size'),
    contextLength: null,
    layers: forward.layers.map(({ attention, ...layer }) => layer),
    inputs: forward.inputs.map(({ name, dtype, shape, optional }) => ({ name, dtype, shape, optional })),
    outputs: forward.outputs,
    generates: false,
    probes: foldBlocks(forward.probes),
    hasChatTemplate: false,
    sampling: greedy,
  };
}
