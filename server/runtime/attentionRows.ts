import type { Range } from '../tensor/ranges.js';

/** How rows of one head are normalised: weight = exp(score − top) / total. Row `first` comes first. */
export interface RowNorms {
  readonly first: number;
  readonly top: Float32Array;
  readonly total: Float32Array;
}

/** Weights of some queries on some keys of one head: [rows, cells], each cell `pool` keys wide, at multiples of it. */
export interface PooledRows {
  readonly head: number;
  readonly rows: Range;
  readonly keys: Range;
  readonly pool: number;
  readonly max: Float32Array;
  readonly sum: Float32Array;
}

/** Rows over all keys they see. */
export interface OutlinedRows extends PooledRows {
  readonly norms: RowNorms;
}

/** The same with what their weights add up to. A number a row where nothing else is said. */
export interface AttentionRows extends OutlinedRows {
  /** Σ over these rows of what each key gets: [keys]. */
  readonly received: Float32Array;
  /** Entropy in bits. */
  readonly entropy: Float32Array;
  /** Weight on the token itself, the one before it and the first one. */
  readonly self: Float32Array;
  readonly previous: Float32Array;
  readonly sink: Float32Array;
  /** Σ weights on tokens behind an earlier copy of the query. */
  readonly copies: Float32Array;
  /** The largest weights of each row, largest first, [rows, listed], and their keys. */
  readonly listed: number;
  readonly best: Float32Array;
  readonly bestKeys: Int32Array;
}

export interface WholeRequest {
  readonly rows: Range;
  readonly heads: Range;
  /** Keys in a cell, a power of two. */
  readonly pool: number;
}

export interface PartRequest {
  readonly rows: Range;
  readonly keys: Range;
  readonly head: number;
  readonly pool: number;
  /** Of these rows, at least. */
  readonly norms: RowNorms;
}

/** Reads the attention of one layer strip by strip; a strip is some rows of one head. Strips come in order of their rows. Errors: CANCELLED. */
export interface AttentionReader {
  outline(request: WholeRequest, visit: (rows: OutlinedRows) => void, signal?: AbortSignal): Promise<void>;
  whole(request: WholeRequest, visit: (rows: AttentionRows) => void, signal?: AbortSignal): Promise<void>;
  /** Rows that see none of the keys are left out. */
  part(request: PartRequest, visit: (rows: PooledRows) => void, signal?: AbortSignal): Promise<void>;
}
