import type { Inference, LayerSummary } from '../protocol/models.js';
import type { AttentionSpec } from './blocks/attention.js';
import type { ConfigReader } from './config.js';
import type { Value } from './ir.js';
import type { SegmentBuilder, TensorTable } from './segmentBuilder.js';
import type { StateSpec } from './state.js';

/** What the config of a stack of blocks comes down to, whatever else it holds. */
export interface StackConfig {
  readonly layers: number;
  readonly dModel: number;
  /** Tokens it can be given at all: no positions are learned beyond. Absent: any number. */
  readonly limit?: number | null;
  /** Tokens of a run beyond which RoPE's frequencies depend on how many there are. Absent: they never do. */
  readonly stretches?: number | null;
  /** Of one that reads images: [height, width] that its positions were learned for. */
  readonly image?: readonly [number, number];
}

/** That of a language model. */
export interface CoreConfig extends StackConfig {
  readonly vocab: number;
  /** Tokens it was trained for, null when nothing limits it. */
  readonly context: number | null;
}

export interface LayerSpec {
  /** A block that attends and recurs as well names its recurrence. */
  readonly mixer: LayerSummary['mixer'];
  readonly attention: AttentionSpec | null;
  /** Heads of the attention, or of a recurrence (1 when it has none). */
  readonly heads: number;
  readonly headDim: number;
  /** False: a token sees those behind it too. Absent: as the attention says, and no recurrence does. */
  readonly causal?: boolean;
}

/** A list of blocks over named state. */
export interface Stack<C extends StackConfig = StackConfig> {
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
}

/** A family of language models. One file, readable beside its paper. */
export interface Architecture<C extends CoreConfig = CoreConfig> extends Stack<C> {
  /** How it was told from the files alone, when nobody knows it by name. */
  readonly inferred?: readonly Inference[];
  /** [B,T,D] → [B,T,V]; after the final norm, which it probes as `ln_final`. */
  head(g: SegmentBuilder, config: C, x: Value): Value;
}

/** A stack that reads its whole input in one pass: ViT, BERT, one tower of CLIP. Its inputs are those its graph asks for (`g.given`). */
export interface Encoder<C extends StackConfig = StackConfig> extends Stack<C> {
  /** What it says, by name: from [B,T,D], before any final norm. Those the checkpoint has weights for. */
  outputs(g: SegmentBuilder, config: C, x: Value): Readonly<Record<string, Value>>;
  /** Vision: what its tokens are, in order, when the image has this many patches: null is the next patch, a word any other token. */
  tokens?(config: C, patches: number): readonly (string | null)[];
}

/** Encoders side by side, each under a prefix of its own, and what they say together. */
export interface Towers {
  readonly id: string;
  readonly names: readonly string[];
  /** By prefix: the encoder, and the key of its part of config.json. */
  readonly towers: Readonly<Record<string, { readonly key: string; readonly encoder: Encoder }>>;
  /** How the logits of pairs become probabilities: those of one input over all others, or each pair by itself. */
  readonly pairs: 'softmax' | 'sigmoid';
  /** From outputs of the towers: those of n inputs are [n, …]. `logits_per_image` is [images, texts]. */
  join(g: SegmentBuilder, output: (tower: string, name: string) => Value): Readonly<Record<string, Value>>;
}

export const defineEncoder = <C extends StackConfig>(encoder: Encoder<C>): Encoder => encoder as unknown as Encoder;

export const defineArchitecture = <C extends CoreConfig>(architecture: Architecture<C>): Architecture =>
  architecture as unknown as Architecture;
