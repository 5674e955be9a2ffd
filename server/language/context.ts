import type { ModelInfo, TensorSummary } from '../protocol/models.js';
import type { RunDetail } from '../protocol/runs.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** A probe or state of the active run, summed up. */
export interface ProbeReading {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly bytes: number;
  /** Frobenius norm. */
  readonly norm: number;
}

/** What is on screen when a hover asks: nothing, a model, or a run of it. */
export interface ActiveContext {
  readonly model: ModelInfo | null;
  readonly run: RunDetail | null;
  /** config.json of the model, or its equivalent. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** Tensors of the model under their canonical names. */
  readonly tensors: readonly TensorSummary[];
  readonly tokenizer: Tokenizer | null;
  /** Layer on screen; hovers that name none show this one. */
  readonly layer: number;
  /**
   * Reads a probe or state by its full name (`blocks.3.attn.pattern`) in the active run; null when there is none. Aborted when the
   * hover can wait no longer. What it throws is shown: PROBE_TOO_LARGE is better than a hover that computes for seconds.
   */
  readProbe(name: string, signal: AbortSignal): Promise<ProbeReading | null>;
}

export const NOTHING_ACTIVE: ActiveContext = {
  model: null,
  run: null,
  config: null,
  tensors: [],
  tokenizer: null,
  layer: 0,
  readProbe: async () => null,
};
