import type { Provenance } from './inspect.js';
import type { WireTensor } from './tensors.js';

/** What a stored matrix is like, what it does to a token, and how two checkpoints differ. A tensor is a matrix of its last axis by all others. */

export interface TensorSpectrum {
  readonly rows: number;
  readonly cols: number;
  /** Singular values, descending: all of them, or the largest. */
  readonly sigma: WireTensor;
  /** False when only the largest were computed. */
  readonly complete: boolean;
  /** ‖A‖² = Σ σ² over all of them. */
  readonly energy: number;
  /** exp(entropy of σ²/Σσ²), ‖A‖²/σ₁², σ₁/σ_min (Infinity beyond 10⁷); null when not all are known. */
  readonly effectiveRank: number | null;
  readonly stableRank: number;
  readonly condition: number | null;
  /** Directions that hold 99 % of the energy; null when those known hold less. */
  readonly rank99: number | null;
  readonly provenance: Provenance;
}

export interface OutlierChannel {
  readonly index: number;
  readonly norm: number;
  readonly largest: number;
  /** (norm − median) / (1.4826 · median absolute deviation): what a standard deviation would be, unmoved by the outliers themselves. */
  readonly z: number;
}

export interface Channels {
  /** L2 norm and largest magnitude of each row, or column. */
  readonly norms: WireTensor;
  readonly largest: WireTensor;
  readonly median: number;
  /** Those with |z| > 6, the farthest first; at most 64. */
  readonly outliers: readonly OutlierChannel[];
  readonly outlierCount: number;
}

export interface TensorChannels {
  readonly rows: Channels;
  readonly cols: Channels;
  readonly provenance: Provenance;
}

/** What a tensor would lose in a block format: computed by rounding it there and back. */
export interface RoundTrip {
  readonly format: string;
  /** Bits a value takes, scales included. */
  readonly bits: number;
  readonly max: number;
  readonly rms: number;
  /** ‖Â − A‖ / ‖A‖. */
  readonly relative: number;
  /** Signal to noise, 10 log₁₀ ‖A‖²/‖Â − A‖², in dB; Infinity when nothing is lost. */
  readonly sqnr: number;
}

export interface Quantisation {
  /** Values to a block as stored, 32 for types without blocks. */
  readonly blockSize: number;
  /** True when the file holds such blocks. */
  readonly stored: boolean;
  /** Largest magnitude of each block, as a histogram: what scales have to span. */
  readonly ranges: { readonly edges: WireTensor; readonly counts: WireTensor };
  /** Empty for a tensor that is quantised already. */
  readonly roundTrips: readonly RoundTrip[];
  readonly provenance: Provenance;
}

export interface VocabularyScore {
  readonly id: number;
  readonly text: string;
  /** For a token that is no text by itself. */
  readonly bytes: readonly number[];
  readonly score: number;
}

/** One singular direction of a matrix and what it does to a token. */
export interface Direction {
  readonly index: number;
  readonly sigma: number;
  /** v · x. */
  readonly projection: number;
  /** Share of ‖y‖² that σ (v · x) u carries. */
  readonly share: number;
  /** Tokens whose embedding lies most along v, turned so that v · x ≥ 0; null where the matrix does not read the residual stream. */
  readonly reads: readonly VocabularyScore[] | null;
  /** Tokens whose logit u raises most; null where it does not write to the residual stream. */
  readonly writes: readonly VocabularyScore[] | null;
}

/** y = A x of one token of a run. */
export interface MatrixProduct {
  readonly rows: number;
  readonly cols: number;
  /** What the model multiplies here: names of values as probes. */
  readonly input: string;
  readonly output: string;
  readonly x: WireTensor;
  readonly y: WireTensor;
  /** Share of ‖y‖² of each direction in the order of σ, and their running sum: [k]. */
  readonly shares: WireTensor;
  readonly sigma: WireTensor;
  readonly complete: boolean;
  /** The strongest, most of ‖y‖² first. */
  readonly directions: readonly Direction[];
  /** Why `reads` or `writes` is null; empty when they are not. */
  readonly readsNote: string;
  readonly writesNote: string;
  /** Largest |y − Σ σ u vᵀ x|, and largest |y|. */
  readonly identity: { readonly formula: string; readonly error: number; readonly magnitude: number };
  readonly provenance: Provenance;
}

export interface TensorDiff {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtypes: readonly [a: string, b: string];
  /** ‖B − A‖, ‖B − A‖ / ‖A‖, largest |B − A|, and the cosine between A and B. NaN where a value is not finite. */
  readonly norm: number;
  readonly relative: number;
  readonly max: number;
  readonly cosine: number;
  /** Values that differ at all. */
  readonly changed: number;
  readonly count: number;
}

export interface CheckpointDiff {
  readonly a: string;
  readonly b: string;
  readonly tensors: readonly TensorDiff[];
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
  readonly reshaped: readonly { readonly name: string; readonly a: readonly number[]; readonly b: readonly number[] }[];
  readonly ms: number;
}

/** How one tensor differs: B − A. */
export interface TensorDiffPicture {
  readonly rows: number;
  readonly cols: number;
  /** Signed value of largest magnitude in each cell. */
  readonly heatmap: WireTensor;
  readonly histogram: { readonly edges: WireTensor; readonly counts: WireTensor };
  /** Of B − A; null where a value is not finite. A low rank is what LoRA leaves. */
  readonly spectrum: TensorSpectrum | null;
  readonly provenance: Provenance;
}
