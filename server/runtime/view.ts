import type { AttentionSpec } from '../graph/blocks/attention.js';
import type { LayerSummary, ModelInfo } from '../protocol/models.js';
import type { RunRecipe } from '../protocol/runs.js';
import type { Range } from '../tensor/ranges.js';
import type { Tensor } from '../tensor/tensor.js';
import type { AttentionReader } from './attentionRows.js';

/** A layer as analyses see it; they never ask for the family. */
export interface LayerView extends LayerSummary {
  readonly attention: AttentionSpec | null;
}

/** Tokens from…to−1. */
export type TokenRange = Range;

/** How a computation is followed and ended. */
export interface Watched {
  readonly signal: AbortSignal;
  /** `what` in words, `done` of `total` in any unit. */
  progress(done: number, total: number, what: string): void;
}

/** Nobody cancels it or looks how far it is. */
export const alone: Watched = { signal: new AbortController().signal, progress: () => undefined };

export interface Kept {
  readonly key: string;
  readonly value: unknown;
  readonly bytes: number;
}

/** What analyses see of a run: the tokens, the logits, the live state, and any probe of any block, recomputed on demand. */
export interface RunView {
  readonly id: string;
  readonly recipe: RunRecipe;
  readonly model: ModelInfo;
  readonly layers: readonly LayerView[];
  /** Ids of the tokens that went through the model: [T]. */
  readonly ids: readonly number[];
  /**
   * Probes of ONE block (or of embed/head: `embed`, `ln_final`, `logits`) from its residual checkpoint, by one segment run.
   * Shapes without batch; the token axis covers `range` (default: all T). `attn.pattern` is [H, to−from, to]: keys from 0 on.
   * `state.k`/`state.v` are [K, S, E] (rows kept at the end of the range); recurrent states [to−from, …] after every token.
   * Errors: PROBE_UNKNOWN, PROBE_TOO_LARGE, CANCELLED.
   */
  probes(
    names: readonly string[],
    options?: { readonly range?: TokenRange; readonly signal?: AbortSignal },
  ): Promise<ReadonlyMap<string, Tensor>>;
  /** The attention of a layer in strips, for what would be too large as one pattern. */
  attention(layer: number): AttentionReader;
  /** What was computed of this run before, or is being computed for somebody else; `bytes` says what it takes to keep. */
  memo<T>(key: string, watched: Watched, make: (watched: Watched) => Promise<T>, bytes: (value: T) => number): Promise<T>;
  known<T>(key: string): T | undefined;
  keep(kept: Kept): void;
  /** Tokens of the run when this one was read, itself and all that were read with it. */
  reach(token: number): number;
  /** Bytes allocated for the KV rows of a layer, with the room for tokens to come. */
  allocatedBytes(layer: number): Promise<number>;
}
