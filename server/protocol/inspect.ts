import type { LayerSummary } from './models.js';
import type { RunId } from './runs.js';
import type { WireTensor } from './tensors.js';

/** Where the numbers of a picture come from; every view prints it under the picture. */
export interface Provenance {
  readonly model: string;
  readonly dtype: string;
  readonly probe: string;
  readonly provider: string;
  /** Time to compute, milliseconds; 0 when it came from the cache. */
  readonly ms: number;
}

export interface LayerOfRun {
  readonly run: RunId;
  readonly layer: number;
}

// ── KV cache ────────────────────────────────────────────────────────────────

export interface CacheLayer {
  readonly layer: number;
  readonly heads: number;
  /** Heads of the cached rows: 1 when all query heads read the same latent. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** What a position keeps for each of these heads: k and v, or the latent c_kv and the rotary key k_pe. */
  readonly rows: readonly { readonly name: string; readonly size: number }[];
  /** Positions kept now, and the first token they belong to. */
  readonly kept: number;
  readonly first: number;
  readonly window: number | null;
  /** Tokens of a chunk, when only those of the one at hand are kept. */
  readonly chunk: number | null;
  readonly bytes: number;
  readonly bytesPerToken: number;
}

export interface CacheOverview {
  readonly layers: readonly CacheLayer[];
  readonly bytes: number;
  readonly bytesPerToken: number;
  /** Allocated, with the room for tokens to come. */
  readonly capacityBytes: number;
  readonly provenance: Provenance;
}

export interface CacheMap {
  readonly first: number;
  /** L2 norm per kv head and kept position: [K, S]. */
  readonly norms: WireTensor;
  readonly provenance: Provenance;
}

export interface ReceivedAttention {
  /** Mean attention that later queries give to each position, per query head: [H, T]. */
  readonly received: WireTensor;
  readonly provenance: Provenance;
}

export interface CachedRow {
  readonly name: string;
  /** [size], after RoPE. */
  readonly values: WireTensor;
  /** Pairs of dimensions that RoPE rotated together and their angle per token (radians); null for what it left alone. */
  readonly rope: { readonly style: 'half' | 'interleaved'; readonly frequencies: WireTensor } | null;
}

export interface CacheSlice {
  /** In the order of `CacheLayer.rows`, those that hold this token: a window or a block may not. */
  readonly rows: readonly CachedRow[];
  readonly provenance: Provenance;
}

// ── recurrent state ─────────────────────────────────────────────────────────

export interface StateLayer {
  readonly layer: number;
  readonly mixer: LayerSummary['mixer'];
  readonly states: readonly {
    readonly name: string;
    readonly kind: 'conv' | 'matrix' | 'shift';
    /** Heads, or groups of channels. */
    readonly groups: number;
    /** Size of the matrix of one group. */
    readonly rows: number;
    readonly cols: number;
    readonly rowName: string;
    readonly colName: string;
    readonly groupName: 'head' | 'channel group';
    readonly bytes: number;
  }[];
}

export interface StateOverview {
  readonly layers: readonly StateLayer[];
  readonly bytes: number;
}

export interface StateSeries {
  /** Frobenius norm of the group's state after each token: [T]. */
  readonly norm: WireTensor;
  /** Norm of what each token wrote: [T]. Null for conv and shift states. */
  readonly write: WireTensor | null;
  /** Mean decay factor applied at each token, 0…1: [T]. Null for conv and shift states. */
  readonly decay: WireTensor | null;
  readonly provenance: Provenance;
}

export interface StateRanks {
  /** Effective rank exp(entropy of normalised squared singular values) after each token: [T]. */
  readonly rank: WireTensor;
  readonly provenance: Provenance;
}

/** The update of one token as an equation of pictures: after = decay ⊙ before − removal + write. All [rows, cols]. */
export interface StateStep {
  readonly token: number;
  /** Token the state comes from, the next one in a scan from the end; null when this one is the first. */
  readonly previous: number | null;
  readonly before: WireTensor;
  readonly after: WireTensor;
  /** Factor by element; null for conv and shift states. */
  readonly decay: WireTensor | null;
  readonly removal: WireTensor | null;
  readonly write: WireTensor | null;
  /** after(token) − after(against), when asked. */
  readonly diff: WireTensor | null;
  readonly norm: number;
  readonly rank: number;
  /** Tokens until the slowest element of a row, or column, has decayed to 1/e at this token's decay: [rows] or [cols]; Infinity allowed. */
  readonly horizon: WireTensor | null;
  /** The axis along which the decay differs: Mamba's by channel (row), RWKV's by key (column). */
  readonly horizonOf: 'row' | 'col';
  /** The update in the paper's letters, e.g. `S_t = S_{t−1}(diag(w) − removal) + v kᵀ`. */
  readonly update: string;
  /** A check of the output that holds exactly in theory, e.g. y = C·h + D·x. */
  readonly identity: {
    readonly formula: string;
    /** Largest |left − right| over the group, and largest |left|. */
    readonly error: number;
    readonly magnitude: number;
  } | null;
  readonly provenance: Provenance;
}

// ── weights ─────────────────────────────────────────────────────────────────

export interface TensorStats {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  readonly nan: number;
  readonly inf: number;
  readonly zeros: number;
  readonly count: number;
}

export interface TensorPicture {
  /** The tensor seen as a matrix: its last axis by all the others. */
  readonly rows: number;
  readonly cols: number;
  /** [r, c] signed value of largest magnitude in each cell of the grid. */
  readonly heatmap: WireTensor;
  readonly histogram: { readonly edges: WireTensor; readonly counts: WireTensor };
  readonly stats: TensorStats;
  /** True when rows were sampled because the tensor is too big to read whole. */
  readonly sampled: boolean;
  readonly bytesRead: number;
  readonly provenance: Provenance;
}
