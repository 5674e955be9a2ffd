import { realpath } from 'node:fs/promises';
import { freemem } from 'node:os';
import type { Emit } from '../handlers.types.js';
import { type OpenModel, openModel } from '../open.js';
import { LabError } from '../protocol/errors.js';
import type { ModelId, ModelInfo } from '../protocol/models.js';
import type { Device } from '../runtime/device.js';
import { memoryNeeded, parameterCount } from '../runtime/model.js';

export interface LabModel extends OpenModel {
  readonly id: ModelId;
  readonly info: ModelInfo;
}

export interface ModelsOptions {
  readonly device: Device;
  readonly threads: number;
  /** Bytes for all models together; null: what is free now. */
  readonly memoryLimit: number | null;
  readonly emit: Emit;
}

const notOpen = (id: ModelId) =>
  new LabError({
    code: 'MODEL_UNKNOWN',
    message: `There is no open model ${id}.`,
    hint: 'It may have been unloaded: open it again.',
  });

/** Models in memory, one for each checkpoint, however often it is asked for. */
export class Models {
  readonly #open = new Map<ModelId, LabModel>();
  readonly #opening = new Map<string, Promise<LabModel>>();
  #next = 1;

  constructor(private readonly options: ModelsOptions) {}

  get list(): readonly LabModel[] {
    return [...this.#open.values()];
  }

  get(id: ModelId): LabModel {
    const model = this.#open.get(id);
    if (!model) throw notOpen(id);
    return model;
  }

  at(path: string): LabModel | null {
    return this.list.find((m) => m.checkpoint.path === path) ?? null;
  }

  /** Opens a checkpoint, or returns it when it is open; two callers at once share one opening. */
  async open(path: string, onProgress?: (done: number, total: number) => void): Promise<LabModel> {
    const real = await realpath(path).catch(() => path);
    const known = this.at(real);
    if (known) return known;
    const opening = this.#opening.get(real) ?? this.#load(real, onProgress).finally(() => this.#opening.delete(real));
    this.#opening.set(real, opening);
    return opening;
  }

  async close(id: ModelId): Promise<void> {
    const { model } = this.get(id);
    this.#open.delete(id);
    await model.close();
    this.#changed();
  }

  async #load(path: string, onProgress?: (done: number, total: number) => void): Promise<LabModel> {
    const { device, threads, memoryLimit, emit } = this.options;
    const used = this.list.reduce((sum, m) => sum + m.info.memory, 0);
    const opened = await openModel(path, {
      device,
      threads,
      memoryLimit: memoryLimit === null ? freemem() : Math.min(memoryLimit - used, freemem()),
      onProgress: (done, total) => {
        emit('models/loading', { path, done, total });
        onProgress?.(done, total);
      },
    });
    const id = `m${this.#next++}`;
    const model = { ...opened, id, info: describe(id, opened) };
    this.#open.set(id, model);
    this.#changed();
    return model;
  }

  #changed(): void {
    this.options.emit('models/changed', { models: this.list.map((m) => m.info) });
  }
}

/** The dtype most of the weights are stored in. */
function mainDtype({ checkpoint }: OpenModel): string {
  const bytes = new Map<string, number>();
  for (const t of checkpoint.tensors.values()) bytes.set(t.dtype, (bytes.get(t.dtype) ?? 0) + t.bytes);
  return [...bytes].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'F32';
}

function describe(id: ModelId, opened: OpenModel): ModelInfo {
  const { checkpoint, model, tokenizer, sampling } = opened;
  const { config, architecture } = model.bound;
  return {
    id,
    path: checkpoint.path,
    name: checkpoint.name,
    family: architecture.id,
    parameters: parameterCount(checkpoint),
    dtype: mainDtype(opened),
    provider: model.device.provider,
    memory: memoryNeeded(checkpoint),
    vocabSize: config.vocab,
    dModel: config.dModel,
    contextLength: config.context,
    layers: model.layers.map(({ attention, ...layer }) => layer),
    probes: model.probes,
    hasTokenizer: tokenizer !== null,
    hasChatTemplate: tokenizer?.renderChat !== null && tokenizer !== null,
    sampling,
  };
}
