import type { LayerSummary } from '../protocol/models.js';
import type { AttentionSpec } from './blocks/attention.js';
import type { ConfigReader } from './config.js';
import type { Value } from './ir.js';
import type { SegmentBuilder, TensorTable } from './segmentBuilder.js';
import type { StateSpec } from './state.js';

/** What every family's config comes down to, whatever else it holds. */
export interface CoreConfig {
  readonly layers: number;
  readonly dModel: number;
  readonly vocab: number;
  /** Tokens it was trained for, null when nothing limits it. */
  readonly context: number | null;
  /** Tokens it can be given at all: no positions are learned beyond, or others than those in use. Absent: any number. */
  readonly limit?: number | null;
}

export interface LayerSpec {
  /** A block that attends and recurs as well names its recurrence. */
  readonly mixer: LayerSummary['mixer'];
  readonly attention: AttentionSpec | null;
  /** Heads of the attention, or of a recurrence (1 when it has none). */
  readonly heads: number;
  readonly headDim: number;
}

/** One family: a list of blocks over named state. One file, readable beside its paper. */
export interface Architecture<C extends CoreConfig = CoreConfig> {
  readonly id: string;
  /** `model_type` and `architectures` values of config.json it answers to. */
  readonly names: readonly string[];
  /** Prefixes checkpoints of this family use, tried in order; the first under which `anchor` exists is taken. */
  readonly prefixes: readonly string[];
  /** A tensor every checkpoint of the family has. */
  readonly anchor: string | readonly string[];
  /** Prefix of block i, below the checkpoint's prefix. */
  readonly blockPrefix: (i: number) => string;
  config(raw: ConfigReader, tensors: TensorTable): C;
  layer(config: C, i: number): LayerSpec;
  state(config: C, i: number): readonly StateSpec[];
  /** Values a block hands to later blocks beside the residual stream: name → size of its last axis. */
  carries?(config: C): Readonly<Record<string, number>>;
  /** → [B,T,D] */
  embed(g: SegmentBuilder, config: C): Value;
  /** [B,T,D] → [B,T,D] */
  block(g: SegmentBuilder, config: C, x: Value, i: number): Value;
  /** [B,T,D] → [B,T,V]; after the final norm, which it probes as `ln_final`. */
  head(g: SegmentBuilder, config: C, x: Value): Value;
}

export const defineArchitecture = <C extends CoreConfig>(architecture: Architecture<C>): Architecture =>
  architecture as unknown as Architecture;
