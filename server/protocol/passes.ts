import type { RunId } from './runs.js';
import type { WireTensor } from './tensors.js';

/** The image of a run as its model was given it, and how it is cut into tokens. */
export interface RunPicture {
  /** After resizing and cropping, before it is made numbers of: [height, width, 3], bytes. */
  readonly pixels: WireTensor<Uint8Array>;
  /** Sides of a patch in pixels: [height, width]. */
  readonly patch: readonly [number, number];
  readonly rows: number;
  readonly cols: number;
  /** By token: which patch it is, counted row by row; null for a token that is none. */
  readonly cells: readonly (number | null)[];
}

/** One output of a run through a model of one pass. */
export interface OutputValue {
  readonly name: string;
  readonly shape: readonly number[];
  /** All of it, or its first values where there are many. */
  readonly values: WireTensor;
  readonly norm: number;
}

export interface ClassScore {
  readonly index: number;
  readonly label: string;
  readonly logit: number;
  readonly probability: number;
}

/** How well this run and one through the other tower of its model fit. */
export interface Match {
  readonly run: RunId;
  readonly title: string;
  readonly cosine: number;
  readonly logit: number;
  readonly probability: number;
}

export interface RunOutputs {
  readonly outputs: readonly OutputValue[];
  /** Most likely first; null when the model does not classify the whole input. */
  readonly classes: readonly ClassScore[] | null;
  /** Best first; null for a model without two towers. */
  readonly matches: readonly Match[] | null;
  /** `softmax`: the probabilities of all matches of this run sum to 1; `sigmoid`: each pair has its own. */
  readonly pairs: 'softmax' | 'sigmoid' | null;
  /** The tower that a match goes through. */
  readonly other: string | null;
}
