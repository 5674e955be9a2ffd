import type { CoreConfig } from '../../graph/architecture.js';
import type { AttentionSpec } from '../../graph/blocks/attention.js';
import type { Groups } from '../../graph/blocks/moe.js';
import type { Norms } from './names.js';

/** An activation with weights of its own, which only decoders that are inferred have. */
export const XIELU = 'xielu';

/** Queries, keys and values: three matrices, or one. Names are below the block. */
export type Projections =
  | { readonly kind: 'separate'; readonly q: string; readonly k: string; readonly v: string }
  /** `stacked`: all queries, all keys, all values; `heads`: q, k, v head by head; `groups`: a group's queries, its key, its value. */
  | { readonly kind: 'stacked' | 'heads' | 'groups'; readonly all: string };

export interface QkNorm {
  readonly q: string;
  readonly k: string;
  /** One weight for all heads, one for each, or a norm over all heads at once. */
  readonly over: 'head' | 'eachHead' | 'allHeads';
  /** Tensors of a norm for each head: NAME.norms.3. */
  readonly listed: boolean;
  readonly late: boolean;
}

export type Mlp =
  | { readonly kind: 'gated'; readonly path: string; readonly gate: string; readonly up: string; readonly down: string }
  | { readonly kind: 'fused'; readonly path: string; readonly gateUp: string; readonly down: string }
  | { readonly kind: 'plain'; readonly path: string; readonly up: string; readonly down: string };

export interface Mixture {
  readonly path: string;
  /** Below the path. */
  readonly router: string;
  readonly experts: number;
  readonly perToken: number;
  readonly size: number;
  /** `each`: tensors for every expert by these names; `stacked`: three for all, [X,F,D], [X,F,D] and [X,D,F]; `gateUp`: two, [X,2F,D] and [X,D,F]. */
  readonly weights:
    | { readonly kind: 'each'; readonly gate: string; readonly up: string; readonly down: string }
    | { readonly kind: 'stacked'; readonly gate: string; readonly up: string; readonly down: string }
    | { readonly kind: 'gateUp'; readonly gateUp: string; readonly down: string };
  readonly scores: 'softmax' | 'sigmoid';
  /** Added to the scores for the choice alone; below the path. */
  readonly bias: string | null;
  readonly normalise: boolean;
  readonly scale: number;
  readonly groups: Groups | null;
  /** The expert that every token goes to: its path, and that of its gate. */
  readonly shared: { readonly mlp: Mlp; readonly gate: string | null } | null;
}

export interface InferredConfig extends CoreConfig {
  readonly embed: string;
  /** Learned positions; the first row in use is `offset`. */
  readonly positions: { readonly name: string; readonly rows: number; readonly offset: number } | null;
  /** Outside every prefix; null: the embedding. */
  readonly head: string | null;
  /** Outside every prefix: that of a tied unembedding; null when there is none. */
  readonly headBias: string | null;
  /** Matrices are stored [in, out]. */
  readonly turned: boolean;
  readonly norm: { readonly kind: 'rms' | 'layer'; readonly eps: number; readonly offset: number; readonly weightless?: boolean };
  readonly norms: Norms;
  readonly finalNorm: string;
  readonly projections: Projections;
  readonly qkNorm: QkNorm | null;
  /** Below the block. */
  readonly out: string;
  /** One a layer; layers that are alike share the object. */
  readonly attention: readonly AttentionSpec[];
  readonly mlp: Mlp | null;
  readonly mixture: Mixture | null;
  readonly act: string;
  /** Factors: on the embedding, on what each half adds, on the logits; and the logits' soft cap. */
  readonly scales: {
    readonly embedding: number;
    readonly residual: number;
    readonly logits: number;
    readonly softcap: number | null;
  };
}

/** What rules have found so far. */
export type Draft = { -readonly [K in keyof InferredConfig]?: InferredConfig[K] };
