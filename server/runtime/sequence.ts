import type { Checkpoint } from '../formats/checkpoint.js';
import type { Inference, RunDtype } from '../protocol/models.js';
import type { Tensor } from '../tensor/tensor.js';
import type { AttentionReader } from './attentionRows.js';
import type { LayerView, TokenRange } from './view.js';

/** A model that reads tokens and goes on with them, as everything above the engine knows it: built of blocks here, or a graph from a file. */
export interface SequenceModel {
  readonly checkpoint: Checkpoint;
  readonly family: string;
  /** How the family was told from the files alone; absent when it is known by name. */
  readonly inferred?: readonly Inference[];
  readonly provider: string;
  /** What its weights are computed as. */
  readonly dtype: RunDtype;
  readonly vocab: number;
  readonly dModel: number;
  /** Tokens it was made for; null when nothing says so. */
  readonly context: number | null;
  readonly layers: readonly LayerView[];
  /** All of them, block by block. */
  readonly probes: readonly string[];
  /** Bytes it holds. */
  readonly memory: number;
  /** An empty sequence, or one that begins with what another has computed: as many of those tokens as can be taken over, which its `ids` tell. */
  start(prefix?: Prefix): Promise<Sequence>;
  close(): Promise<void>;
}

export interface PrefillOptions {
  readonly signal?: AbortSignal;
  /** Tokens read of all that are given; those of a call count by the share of the blocks that they have passed. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The first tokens of a sequence of the same model. */
export interface Prefix {
  readonly of: Sequence;
  readonly tokens: number;
  /** Tokens that the new sequence reads in all. */
  readonly reach: number;
}

/** One sequence through a model. */
export interface Sequence {
  readonly layers: readonly LayerView[];
  readonly vocab: number;
  /** Tokens that went through the model. */
  readonly ids: readonly number[];
  /** Bytes held for it besides the live state: checkpoints, snapshots. */
  readonly bytes: number;
  /** Runs tokens through. Errors: CANCELLED, TOKEN_INVALID, CONTEXT_FULL. */
  prefill(ids: readonly number[], options?: PrefillOptions): Promise<void>;
  /** One more token; returns the logits [V] after it. */
  decode(id: number, signal?: AbortSignal): Promise<Float32Array>;
  /** [to−from, V]. */
  logits(range: TokenRange, signal?: AbortSignal): Promise<Float32Array>;
  /** A few rows at a time: `visit` gets the row of token `t`. */
  eachLogits(range: TokenRange, visit: (t: number, logits: Float32Array) => void, signal?: AbortSignal): Promise<void>;
  /** See RunView.probes. */
  probes(
    names: readonly string[],
    options?: { readonly range?: TokenRange; readonly signal?: AbortSignal },
  ): Promise<ReadonlyMap<string, Tensor>>;
  /** See RunView.attention; null where a layer's pattern is all that can be had. */
  attention?(layer: number): AttentionReader | null;
  /** See RunView.reach; absent where nothing depends on it. */
  reach?(token: number): number;
  /** Bytes of its live state; of the KV rows of one layer when it is named. */
  stateBytes(layer?: number): Promise<number>;
  /** Whether only the ids are left: nothing can be read or decoded until `restore`. */
  readonly dropped: boolean;
  /** Lets go of checkpoints, snapshots and live state. */
  drop(): Promise<void>;
  /** Runs the ids again after `drop`. When it fails, nothing is kept. Errors: CANCELLED. */
  restore(options?: PrefillOptions): Promise<void>;
  close(): Promise<void>;
}
