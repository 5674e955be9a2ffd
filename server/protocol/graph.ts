import type { Provenance } from './inspect.js';
import type { Inference, StateSummary } from './models.js';
import type { WireTensor } from './tensors.js';

/** A model as the graph that runs: what the architecture view draws. */

/** What a segment of its own computes: the embedding, one block, or the head; all of a graph that has no blocks. */
export type GraphPart = 'embed' | 'head' | 'graph' | number;

/** One segment seen from outside. */
export interface OutlinePart {
  /** Of a model of several stacks the one it belongs to (`vision`, `text`), else empty. */
  readonly tower: string;
  readonly part: GraphPart;
  /** Index of the first segment that is built like this one, whatever its weights hold. */
  readonly structure: number;
  /** What mixes tokens in a block; null for embed and head. */
  readonly mixer: string | null;
  readonly operators: number;
  /** Of the tensors it reads; shared tensors count in each segment. */
  readonly parameters: number;
  /** As stored, by type. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly states: readonly Pick<StateSummary, 'name' | 'kind'>[];
  /** What comes from outside the model and leaves it here: `tokens`, `logits`, names of inputs and outputs. */
  readonly reads: readonly string[];
  readonly says: readonly string[];
  readonly carriesIn: readonly string[];
  readonly carriesOut: readonly string[];
}

export interface GraphOutline {
  readonly name: string;
  readonly family: string;
  /** How the family was told from the files alone; absent when it is known by name. */
  readonly inferred?: readonly Inference[];
  /** embed, blocks in order, head; of each tower. */
  readonly parts: readonly OutlinePart[];
  readonly provenance: Provenance;
}

export interface GraphValue {
  /** The graph's own name: `blocks.3.#v17` reads it as a probe. */
  readonly name: string;
  /** `f32`, `i64`, `bool`; of a graph from a file any type of ONNX, or what else a value can be (`sequence`). */
  readonly dtype: string;
  /** Sizes known at run time by name: B, T, C (cached rows), S, or an expression over them; `?` where nobody knows. */
  readonly shape: readonly (number | string)[];
  readonly kind: 'computed' | 'input' | 'weight' | 'constant';
  /** Names of probes, without `blocks.i.`. */
  readonly probes: readonly string[];
  /** What an input is: `resid`, `tokens`, `past`, `carry.x`, `state.k.past` …; what an output of the segment is fetched as. */
  readonly role: string | null;
  /** For an input of a loop's body: the value outside that it is a part of. */
  readonly of?: number;
  /** For the state of a loop's body: the value it becomes for the next step. */
  readonly next?: number;
  readonly weight?: StoredWeight;
  /** The numbers of a small constant. */
  readonly constant?: string;
}

export interface StoredWeight {
  /** Without what stands before all names of the block. */
  readonly tensor: string;
  /** As the checkpoint has it. */
  readonly name: string;
  /** Its last words, to be written into a picture; empty for a name that says nothing. */
  readonly label: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

export interface GraphNode {
  readonly op: string;
  readonly group: number;
  /** Indices of values; −1 where an optional input is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly formula: string;
  /** Inputs that come from parts that are not sent. */
  readonly hidden: number;
}

/** Nodes that belong together: a module, what makes one named value, an expert of many, the body of a loop. */
export interface GraphGroup {
  readonly title: string;
  readonly kind: 'root' | 'module' | 'step' | 'part' | 'loop' | 'branch';
  /** Index of the group around it; −1 for the root. */
  readonly parent: number;
  /** Name of the probe that a step ends in, without `blocks.i.`; null where nobody named it. */
  readonly probe: string | null;
  /** What it is and how it is computed, when the lab knows. */
  readonly about: { readonly title: string; readonly what: string; readonly formula: string | null } | null;
  /** A part stands for `count` that are built alike, of which a token goes through `chosen`; this is the one with `index`. */
  readonly part: { readonly index: number; readonly count: number; readonly chosen: number } | null;
  /** The node whose body this is. */
  readonly node: number | null;
}

/** All operators of one segment. Of parts that are built alike only one is sent. */
export interface SegmentGraph {
  readonly tower: string;
  readonly part: GraphPart;
  readonly values: readonly GraphValue[];
  readonly nodes: readonly GraphNode[];
  readonly groups: readonly GraphGroup[];
  /** Values that leave the segment. */
  readonly outputs: readonly number[];
  /** Probes that are computed only when asked for. */
  readonly observed: readonly string[];
}

/** Of the finite ones; NaN when there are none. */
export interface ValueStats {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** L2. */
  readonly norm: number;
  readonly count: number;
  readonly notFinite: number;
}

/** A value while the model reads one token, with what is cached before it. */
export interface GraphValueAt {
  readonly shape: readonly number[];
  readonly stats: ValueStats;
  /** The last axis by all others, [rows, cols], pooled to the signed value of largest magnitude. */
  readonly picture: WireTensor;
  readonly provenance: Provenance;
}

export interface GraphNorms {
  /** NaN where nothing is finite. */
  readonly norms: WireTensor;
  readonly provenance: Provenance;
}
