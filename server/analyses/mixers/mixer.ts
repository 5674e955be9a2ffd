import { dot } from '../../tensor/reduce.js';
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

/** What [tokens, heads, …] holds of the group's head, where `of` heads may share fewer entries: head h reads entry ⌊h · entries / of⌋. */
export function ofHead({ shape, data }: Tensor, { token, group }: Place, of = shape[1] as number): Float32Array {
  const [tokens, entries] = shape as readonly [number, number];
  const width = data.length / (tokens * entries);
  const first = (token * entries + Math.floor((group * entries) / of)) * width;
  return data.slice(first, first + width);
}

/** u vᵀ, [rows, cols]. */
export function outer(u: Float32Array, v: Float32Array): Float32Array {
  const out = new Float32Array(u.length * v.length);
  for (let r = 0; r < u.length; r++)
    for (let c = 0; c < v.length; c++) out[r * v.length + c] = (u[r] as number) * (v[c] as number);
  return out;
}

/** S u for S [rows, cols]. */
export const times = (S: Float32Array, u: Float32Array): Float32Array =>
  Float32Array.from({ length: S.length / u.length }, (_, r) => dot(S.subarray(r * u.length, (r + 1) * u.length), u));

/** Sᵀ u for S [rows, cols]. */
export function timesTransposed(S: Float32Array, u: Float32Array): Float32Array {
  const out = new Float32Array(S.length / u.length);
  for (const [i, value] of S.entries())
    out[i % out.length] = (out[i % out.length] as number) + value * (u[Math.floor(i / out.length)] as number);
  return out;
}

export const scaled = (u: Float32Array, factor: number | undefined): Float32Array => u.map((value) => value * (factor as number));
export const filled = (length: number, value: number | undefined): Float32Array => new Float32Array(length).fill(value as number);

/** The state of a group around one token, [rows, cols] each. */
export interface Change {
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/** How a recurrent mixer changes one of its states; one file each. after = decay ⊙ before − removal + write, all [rows, cols]. */
export interface Mixer {
  /** Declared name of the state. */
  readonly state: string;
  readonly rowName: string;
  readonly colName: string;
  /** A state of three axes has channels along the first, not heads: they are shown in groups, with the other two along a row. */
  readonly byChannel?: boolean;
  /** The update in the paper's letters. */
  readonly update: string;
  /** It reads from the last token to the first: the state before a token is that of the token behind it. */
  readonly backwards?: boolean;
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
  /** An equation of the output that holds exactly in theory, and both its sides; null when the output needs more than this state. */
  readonly identity: {
    readonly formula: string;
    sides(stretch: Stretch, place: Place, change: Change): { readonly left: Float32Array; readonly right: Float32Array };
  } | null;
}
