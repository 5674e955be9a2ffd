import type { Provenance } from './inspect.js';
import type { WireTensor } from './tensors.js';

export interface HeadScores {
  /** Mean weight on the token after an earlier copy of the current token (induction). */
  readonly induction: number;
  /** Mean weight on the previous token. */
  readonly previous: number;
  /** Mean weight on the first token. */
  readonly sink: number;
  /** Mean entropy of a row in bits. */
  readonly entropy: number;
}

export interface AttentionThumbnails {
  readonly layer: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Queries look at keys up to themselves: lower triangle only. */
  readonly causal: boolean;
  /** [H, size, size], max-pooled, 255 = weight 1; at most 64 cells a side. */
  readonly thumbnails: WireTensor<Uint8Array>;
  /** Tokens in a cell. */
  readonly pool: number;
  /** Queries that were looked at when not all were: a sketch. */
  readonly sampled: number | null;
  /** Null for a sketch. */
  readonly scores: readonly HeadScores[] | null;
  readonly provenance: Provenance;
}

/** Cells a side of a tile: 256 kB. */
export const TILE = 256;

/** The level at which one tile shows `count` tokens. At level l a cell stands for 2^l × 2^l weights; level 0 shows each. */
export const coarsestLevel = (count: number): number => Math.max(0, Math.ceil(Math.log2(count / TILE)));

/** A square of a head's map, as of a street map: cells row·TILE … and col·TILE … of a level, as far as there are tokens. */
export interface AttentionTile {
  /** [rows, cols]: weights as they are, or pooled over every weight of a cell; a mean counts masked ones as 0. */
  readonly weights: WireTensor;
  /** Queries and keys it covers. */
  readonly queries: readonly [from: number, to: number];
  readonly keys: readonly [from: number, to: number];
  /** Queries that were looked at when not all were: a sketch until the tile itself comes. */
  readonly sampled: number | null;
  readonly provenance: Provenance;
}

export interface AttentionColumn {
  /** [count]: what each query puts on the key; 0 where it does not see it. */
  readonly weights: WireTensor;
  /** Σ weights. */
  readonly received: number;
  readonly top: readonly { readonly token: number; readonly weight: number }[];
  readonly provenance: Provenance;
}

export interface AttentionEdge {
  readonly head: number;
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/** Edges told of a layer at most. */
export const MOST_EDGES = 256;

export interface AttentionEdges {
  readonly layer: number;
  /** Heaviest first, over all heads of the layer; neither a token on itself nor one on the first token. */
  readonly edges: readonly AttentionEdge[];
  readonly provenance: Provenance;
}

export interface AttentionRow {
  /** [query + 1]: weight on each key up to and including the query. */
  readonly weights: WireTensor;
  readonly entropy: number;
  readonly top: readonly { readonly token: number; readonly weight: number }[];
  readonly provenance: Provenance;
}

export interface AttentionCell {
  /** Query and key as multiplied, after RoPE and norms: [E]. */
  readonly q: WireTensor;
  readonly k: WireTensor;
  /** q_e · k_e: [E]. */
  readonly products: WireTensor;
  readonly dot: number;
  /** q·k before RoPE; null when the model has no rotary embedding. dot = content + position. */
  readonly content: number | null;
  readonly scale: number;
  readonly softcap: number | null;
  readonly mask: 'causal' | 'visible' | 'window' | 'chunk' | 'unselected';
  /** scale · dot, soft-capped; what enters the softmax. */
  readonly score: number;
  /** log Σ exp(score) of the row. */
  readonly logSumExp: number;
  readonly weight: number;
  readonly provenance: Provenance;
}
