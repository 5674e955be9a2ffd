import type { GraphPart } from './graph.js';
import type { Provenance } from './inspect.js';

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
    readonly threads: number;
  } | null;
}

export type ComputeType = 'fp32' | 'fp16' | 'bf16' | 'int8';

/** One segment in one call, as a point of the roofline. */
export interface PartCost {
  readonly tower: string;
  readonly part: GraphPart;
  /** Index of the first segment that is built like this one. */
  readonly structure: number;
  readonly flops: number;
  /** Weights, state, and what enters and leaves, each once. */
  readonly bytes: number;
  /** As predicted from the graph; null where the machine's peak is not known. */
  readonly seconds: number | null;
  /** What the prediction is limited by. */
  readonly bound: 'compute' | 'memory' | null;
}

export interface PhaseCost {
  /** New tokens of one call, and those before it. */
  readonly tokens: number;
  readonly past: number;
  /** Of all parts, one call. */
  readonly flops: number;
  readonly bytes: number;
  readonly seconds: number | null;
  readonly parts: readonly PartCost[];
}

/** Will it run here, and how fast. */
export interface Fit {
  readonly parameters: number;
  /** Bytes as stored, by type. */
  readonly stored: Readonly<Record<string, number>>;
  readonly tokens: number;
  readonly batch: number;
  readonly machine: Machine;
  /** The type that weights and state are counted in. */
  readonly type: ComputeType;
  readonly memory: {
    readonly weights: number;
    readonly state: number;
    /** Residual checkpoints, which make every token inspectable afterwards. */
    readonly checkpoints: number;
    readonly needed: number;
    /** Free on this machine now, or all that another one has; null when nobody knows. */
    readonly available: number | null;
  };
  /** The chunk of the prompt in the middle of its tokens. */
  readonly prefill: PhaseCost;
  readonly decode: PhaseCost;
  readonly provenance: Provenance;
}

/** Seconds of each segment alone, measured on this machine: medians. */
export interface MeasuredParts {
  readonly parts: readonly {
    readonly tower: string;
    readonly part: GraphPart;
    readonly prefill: number;
    readonly decode: number;
  }[];
  readonly threads: number;
  readonly provenance: Provenance;
}
