import type { GraphPart } from './graph.js';
import type { Provenance } from './inspect.js';
import type { RunDtype } from './models.js';

/** What a machine can do at best: the two lines of a roofline, and where they come from. */
export interface Machine {
  readonly id: string;
  readonly name: string;
  /** Bytes; null where it is a matter of the installation. */
  readonly memory: number | null;
  /** Bytes a second from memory. */
  readonly bandwidth: number;
  /** Operations a second by the type of the numbers, without sparsity; those the vendor does not publish are absent. */
  readonly flops: Readonly<Partial<Record<ComputeType, number>>>;
  /** Measured here, or the document and its date. */
  readonly source: string;
  /** Known of a machine that was measured. */
  readonly measured: {
    /** Bytes a second between operators, whose numbers stay in the caches. */
    readonly innerBandwidth: number;
    /** What starting an operator costs, seconds. */
    readonly operatorSeconds: number;
    /** What a call costs whatever is in it, seconds. */
    readonly callSeconds: number;
    /** Products with matrices of whole numbers. */
    readonly products: Readonly<Record<BlockProduct, ProductSpeed>>;
    readonly threads: number;
    readonly provider: string;
  } | null;
}

/** 8 or 4 bits with activations rounded to 8; the file's own 4 bits in fp32 arithmetic. */
export type BlockProduct = 'int8' | 'int4' | 'own4';

export interface ProductSpeed {
  /** Operations a second for many rows. */
  readonly flops: number;
  /** Weights a second for one row. */
  readonly weights: number;
}

export type ComputeType = 'fp32' | 'fp16' | 'bf16' | 'int8';

/** One segment in one call, as a point of the roofline. */
export interface PartCost {
  readonly tower: string;
  readonly part: GraphPart;
  /** Index of the first segment that is built like this one. */
  readonly structure: number;
  /** New tokens of each sequence: of an image its patches and what is put before them. */
  readonly tokens: number;
  readonly flops: number;
  /** Weights, state, and what enters and leaves, each once. */
  readonly bytes: number;
  /** As predicted from the graph; null where the machine's peak is not known. */
  readonly seconds: number | null;
  /** What the prediction is limited by. */
  readonly bound: 'compute' | 'memory' | null;
}

export interface PhaseCost {
  /** New tokens of one call, those of all towers, and those before it. */
  readonly tokens: number;
  readonly past: number;
  /** Of all parts, one call. */
  readonly flops: number;
  readonly bytes: number;
  readonly seconds: number | null;
  readonly parts: readonly PartCost[];
}

/** What weights can be computed as, and what that costs. */
export interface DtypeChoice {
  readonly dtype: RunDtype;
  /** Bytes in memory: of the weights, and of all that is needed. */
  readonly weights: number;
  readonly needed: number;
  /** Seconds of the two calls; null where a peak is not known, or there is no decoding. */
  readonly prefill: number | null;
  readonly decode: number | null;
}

/** What is predicted for. */
export interface FitWanted {
  readonly tokens: number;
  readonly batch: number;
  readonly dtype: RunDtype;
  /** [height, width] of an image for a model that takes any; absent: as its images are prepared. */
  readonly pixels?: readonly [number, number] | undefined;
}

/** Will it run here, and how fast. */
export interface Fit {
  readonly parameters: number;
  /** Bytes as stored, by type. */
  readonly stored: Readonly<Record<string, number>>;
  readonly tokens: number;
  readonly batch: number;
  readonly machine: Machine;
  readonly dtype: RunDtype;
  /** The type of the arithmetic of most products. */
  readonly type: ComputeType;
  /** The two lines of the roofline for that arithmetic; a peak that nobody publishes is null. */
  readonly roof: { readonly bandwidth: number; readonly peak: number | null };
  /** The image it reads, and whether another size would do as well; null for a model that reads none. */
  readonly image: { readonly height: number; readonly width: number; readonly free: boolean } | null;
  /** It reads words: how many is asked. */
  readonly text: boolean;
  /** The same for each dtype. */
  readonly choices: readonly DtypeChoice[];
  readonly memory: {
    readonly weights: number;
    readonly state: number;
    /** Residual checkpoints, which make every token inspectable afterwards. */
    readonly checkpoints: number;
    readonly needed: number;
    /** Free on this machine now, or all that another one has; null when nobody knows. */
    readonly available: number | null;
  };
  /** The chunk of the prompt in the middle of its tokens; of a model of one pass all that it reads. */
  readonly prefill: PhaseCost;
  /** One token at the end; null for a model of one pass. */
  readonly decode: PhaseCost | null;
  readonly provenance: Provenance;
}

/** Seconds of each segment alone, measured on this machine: the best of several rounds, as the machine itself is measured. */
export interface MeasuredParts {
  readonly parts: readonly {
    readonly tower: string;
    readonly part: GraphPart;
    readonly prefill: number;
    readonly decode: number | null;
  }[];
  readonly threads: number;
  readonly provenance: Provenance;
}
