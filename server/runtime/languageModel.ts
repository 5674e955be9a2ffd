import type { Checkpoint } from '../formats/checkpoint.js';
import { Model, type ModelOptions } from './model.js';
import { Run } from './run.js';
import type { Prefix, SequenceModel } from './sequence.js';

/** A language model of our own blocks. */
export class LanguageModel implements SequenceModel {
  private constructor(readonly blocks: Model) {}

  /** Errors: those of Model.open. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<LanguageModel> {
    return new LanguageModel(await Model.open(checkpoint, options));
  }

  get checkpoint() {
    return this.blocks.checkpoint;
  }
  get family() {
    return this.blocks.bound.architecture.id;
  }
  get inferred() {
    return this.blocks.bound.architecture.inferred ?? [];
  }
  get provider() {
    return this.blocks.provider;
  }
  get dtype() {
    return this.blocks.dtype;
  }
  get vocab() {
    return this.blocks.bound.config.vocab;
  }
  get dModel() {
    return this.blocks.bound.config.dModel;
  }
  get context() {
    return this.blocks.bound.config.context;
  }
  get layers() {
    return this.blocks.layers;
  }
  get probes() {
    return this.blocks.probes;
  }
  get memory() {
    return this.blocks.memory;
  }

  start = (prefix?: Prefix) => Run.create(this.blocks, prefix);
  close = () => this.blocks.close();
}
