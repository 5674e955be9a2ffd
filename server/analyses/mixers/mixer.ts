import type { Tensor } from '../../tensor/tensor.js';

/** Probes of a stretch of tokens by their short name (`mixer.C`, `state.ssm`), each [tokens, …]. */
export type Stretch = (name: string) => Tensor;

/** One head or channel group at one token of a stretch. */
export interface Place {
  readonly token: number;
  readonly group: number;
  /** Rows of every group but the last, which may have fewer. */
  readonly size: number;
  readonly rows: number;
  readonly cols: number;
}

/** A copy of the group's rows of `width` values at one token: what lies behind the token axis is seen as [rows of all groups, width]. */
export function take({ shape, data }: Tensor, { token, group, size, rows }: Place, width: number): Float32Array {
  const stride = data.length / (shape[0] as number);
  const first = token * stride + group * size * width;
  return data.slice(first, first + rows * width);
}

/** How a recurrent mixer changes its matrix state; one file each. after = decay ⊙ before − removal + write, all [rows, cols]. */
export interface Mixer {
  /** Declared name of the matrix state. */
  readonly state: string;
  readonly rowName: string;
  readonly colName: string;
  /** The update in the paper's letters. */
  readonly update: string;
  /** Along which axis the decay differs. */
  readonly decays: 'row' | 'col';
  /** Short names of the probes that `decay` and `write` need. */
  readonly updateProbes: readonly string[];
  /** Short names of the probes that `removal` and `identity` need as well. */
  readonly stepProbes: readonly string[];
  /** Factor by element. */
  decay(stretch: Stretch, place: Place): Float32Array;
  /** What the token adds. */
  write(stretch: Stretch, place: Place): Float32Array;
  /** What is taken away besides the decay; null for a mixer that only decays. */
  readonly removal: ((stretch: Stretch, place: Place, before: Float32Array) => Float32Array) | null;
  /** An equation of the output that holds exactly in theory, and both its sides. */
  readonly formula: string;
  identity(stretch: Stretch, place: Place, after: Float32Array): { readonly left: Float32Array; readonly right: Float32Array };
}
