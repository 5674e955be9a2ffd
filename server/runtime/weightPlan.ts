import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { ggmlIntegers, type Integers } from '../formats/ggmlIntegers.js';
import { bindable } from '../formats/read.js';
import type { Use } from '../graph/uses.js';
import { zeroBytes } from '../graph/weightPlace.js';
import type { RunDtype } from '../protocol/models.js';
import { sizeOf } from '../tensor/tensor.js';

/** Whole numbers with a scale a run, as weightPlace.ts tells them. */
export interface Blocks {
  readonly kind: 'blocks';
  /** The integers of the file, or null: rounded from its values. */
  readonly integers: Integers | null;
  readonly bits: 4 | 8;
  /** Values of a row to a scale; the last of a row may be fewer. */
  readonly run: number;
  readonly floors: boolean;
  /** Each run has a zero point of its own among its codes; false: half of their range. */
  readonly zeros: boolean;
  readonly turned: boolean;
  /** True: activations are rounded to 8 bits too, in the same runs; false: computed in fp32. */
  readonly rounded: boolean;
}

/** In which form a tensor is given to the sessions. */
export type Storage =
  /** Where it is, F32, F16 or BF16. */
  | { readonly kind: 'bound' }
  /** In fp32 in a file of our own. */
  | { readonly kind: 'decoded' }
  | Blocks
  | RowBytes
  | Halves;

/** Rounded once more, to 8 bits with one scale a row. */
export interface RowBytes {
  readonly kind: 'bytes';
  readonly of: Blocks;
}

/** In half precision, widened by each product: in its file, or as F16 in ours, BF16 times a power of two and what is turned as rows [N, K]. */
export interface Halves {
  readonly kind: 'halves';
  readonly inPlace: boolean;
  readonly turned: boolean;
}

/** What its rows are gathered from and what it is multiplied as, by one token and by many; null where the graphs never do. */
export interface Planned {
  readonly rows: Storage | null;
  readonly matrix: Storage | null;
  readonly many: Storage | null;
}

export type Uses = ReadonlyMap<string, ReadonlySet<Use>>;
export type WeightPlan = ReadonlyMap<string, Planned>;

/** Values to a scale where we choose, the first that divides the row or else the last: twice those of GGML's simple types, which cost a tenth of a product. */
const RUNS = [64, 32] as const;
/** Smaller matrices are left alone: they are a negligible part of the work, and low-rank factors suffer most. */
const SMALLEST = 64;

/** Values of a matrix that is read in half precision: smaller ones are widened once. */
const LEAST_HALVES = 1 << 16;

/** Products of longer rows might not fit into the 32 bits in which they are summed up. */
const LONGEST = 32_768;

/** How each tensor that is used is stored. `bytes`: many tokens are multiplied by bytes where 4 bits are asked for; `halves`: products widen half precision. */
export function planWeights(
  checkpoint: Checkpoint,
  uses: Uses,
  dtype: RunDtype = 'own',
  bytes = false,
  halves = false,
): WeightPlan {
  const plan = new Map<string, Planned>();
  for (const entry of checkpoint.tensors.values()) {
    const of = uses.get(entry.name);
    if (of) plan.set(entry.name, planned(entry, of, dtype, bytes, halves));
  }
  return plan;
}

function planned(entry: TensorEntry, uses: ReadonlySet<Use>, dtype: RunDtype, bytes: boolean, halves: boolean): Planned {
  const own = stored(entry, uses, dtype !== 'fp32');
  const floats = (halves && inHalves(entry, uses, own)) || own;
  const matrix = dtype === 'int8' || dtype === 'int4' ? rounded(entry, uses, dtype, own) : floats;
  const gathered = uses.has('rows');
  if (gathered && uses.size === 1) return { rows: own, matrix: null, many: null };
  return { rows: gathered ? own : null, matrix, many: bytes && dtype === 'int4' ? inBytes(entry, uses, matrix) : matrix };
}

/** Null for what is not in half precision, small, or asked for something else than products. */
function inHalves(entry: TensorEntry, uses: ReadonlySet<Use>, own: Storage): Halves | null {
  const turned = uses.has('turned');
  const { dtype, shape } = entry;
  if (own.kind !== 'bound' || dtype === 'F32' || !multiplied(entry, uses, turned) || sizeOf(shape.slice(-2)) < LEAST_HALVES)
    return null;
  return { kind: 'halves', inPlace: dtype === 'F16' && !turned, turned };
}

/** What says the logits keeps its runs: mostly one token asks for them. */
function inBytes({ shape }: TensorEntry, uses: ReadonlySet<Use>, matrix: Storage): Storage {
  if (matrix.kind !== 'blocks' || uses.has('logits')) return matrix;
  return lengthOf(shape, matrix) > LONGEST ? matrix : { kind: 'bytes', of: matrix };
}

/** As the file has it. */
function stored(entry: TensorEntry, uses: ReadonlySet<Use>, blocks: boolean): Storage {
  if (bindable(entry)) return { kind: 'bound' };
  const integers = ggmlIntegers.get(entry.dtype);
  if (!blocks || !integers || entry.restore !== null || !multiplied(entry, uses, entry.transpose)) return { kind: 'decoded' };
  const { bits, run, floors } = integers;
  return { kind: 'blocks', integers, bits, run, floors, zeros: false, turned: entry.transpose, rounded: false };
}

/** Rounded where nothing but products (and rows) is asked of it; what is in whole numbers already keeps them, and so does what says the logits in 8 bits. */
function rounded(entry: TensorEntry, uses: ReadonlySet<Use>, dtype: 'int8' | 'int4', own: Storage): Storage {
  if (own.kind === 'blocks') return { ...own, rounded: true };
  const turned = uses.has('turned');
  if (!multiplied(entry, uses, turned)) return own;
  const [N, K] = (turned ? entry.shape.toReversed() : entry.shape.slice(-2)) as [number, number];
  if (Math.min(N, K) < SMALLEST) return own;
  const bits = dtype === 'int8' || uses.has('logits') ? 8 : 4;
  const run = RUNS.find((length) => K % length === 0) ?? RUNS[1];
  return { kind: 'blocks', integers: null, bits, run, floors: false, zeros: true, turned, rounded: true };
}

/** x Wᵀ with W [..., N, K], or x W with W [K, N], and at most rows besides. */
function multiplied({ shape }: TensorEntry, uses: ReadonlySet<Use>, turned: boolean): boolean {
  const allowed: readonly Use[] = turned ? ['turned', 'logits'] : ['product', 'rows', 'logits'];
  return (turned ? shape.length === 2 : shape.length >= 2) && [...uses].every((use) => allowed.includes(use));
}

const [FLOAT, HALF] = [4, 2];

/**
 * Whether what is computed with lies in a file as sessions read it, the checkpoint's or ours, so that one needs no copy of it; beside products that widen
 * halves, small tensors may be copied.
 */
export function liesInFiles({ tensors }: Checkpoint, plan: WeightPlan): boolean {
  const halves = [...plan.values()].some(({ matrix }) => matrix?.kind === 'halves');
  return [...plan].every(([name, { matrix }]) => {
    const { dtype, shape } = tensors.get(name) as TensorEntry;
    if (matrix?.kind === 'bound') return dtype === 'F32' || (halves && sizeOf(shape) < LEAST_HALVES);
    return !matrix || matrix.kind === 'decoded' || matrix.kind === 'halves';
  });
}

/** Bytes of each stretch that a storage needs in our own file. */
export function stretchesOf({ shape }: TensorEntry, storage: Storage): Readonly<Record<string, number>> {
  const values = sizeOf(shape);
  if (storage.kind === 'bound') return {};
  if (storage.kind === 'decoded') return { values: values * FLOAT };
  if (storage.kind === 'halves') return storage.inPlace ? {} : { values: values * HALF };
  if (storage.kind === 'bytes') return { codes: values, rowScales: rowsOf(shape, storage.of) * FLOAT };
  const { bits, run, floors, zeros, rounded } = storage;
  const rows = rowsOf(shape, storage);
  const n = runsOf(shape, storage);
  const runs = rows * n * FLOAT;
  const codes = rows * n * run;
  const half = codes / 2;
  const planes = bits === 4 ? { plane0: half } : rounded ? { plane0: codes } : { plane0: half, plane1: half };
  return { ...planes, scales: runs, ...(floors && { floors: runs }), ...(zeros && { zeros: rows * zeroBytes(n, bits) }) };
}

/** Values of a row. */
export const lengthOf = (shape: readonly number[], { turned }: Blocks): number => (turned ? shape[0] : shape.at(-1)) as number;

const rowsOf = (shape: readonly number[], blocks: Blocks): number => sizeOf(shape) / lengthOf(shape, blocks);

/** Runs of a row. */
export const runsOf = (shape: readonly number[], blocks: Blocks): number => Math.ceil(lengthOf(shape, blocks) / blocks.run);

/** Each form in which a tensor is stored, once. */
export const storagesOf = ({ rows, matrix, many }: Planned): ReadonlySet<Storage> =>
  new Set([rows, matrix, many].filter((storage) => storage !== null));

/**
 * Bytes the sessions hold: packed copies of what is multiplied by many tokens, and apart from it (`stepped`) by one; tables of which only rows are
 * read stay in their file.
 */
export function memoryOf(checkpoint: Checkpoint, plan: WeightPlan, stepped: boolean): number {
  let bytes = 0;
  for (const [name, { matrix, many }] of plan) {
    const entry = checkpoint.tensors.get(name) as TensorEntry;
    // halves are mapped once for both
    for (const storage of stepped && many?.kind !== 'halves' ? [many, matrix] : [many]) {
      if (storage) bytes += packedBytes(entry, storage);
    }
  }
  return Math.ceil(bytes * SLACK);
}

/** Of a product: what rounds activations adds up the codes of each run beside them, and of bytes there are two products, each with a copy. */
function packedBytes(entry: TensorEntry, storage: Storage): number {
  if (storage.kind === 'bound') return sizeOf(entry.shape) * FLOAT;
  if (storage.kind === 'halves') return sizeOf(entry.shape) * HALF;
  const stored = Object.values(stretchesOf(entry, storage)).reduce((sum, n) => sum + n, 0);
  if (storage.kind === 'bytes') return 2 * stored;
  if (storage.kind === 'decoded' || !storage.rounded) return stored;
  return stored + rowsOf(entry.shape, storage) * runsOf(entry.shape, storage) * FLOAT;
}

/** Bytes of an element as it is run: what a product reads of memory for it. */
export function bytesPerElement(checkpoint: Checkpoint, plan: WeightPlan): (tensor: string) => number {
  return (name) => {
    const [entry, storage] = [checkpoint.tensors.get(name), plan.get(name)?.matrix];
    if (!entry || storage?.kind !== 'blocks') return FLOAT;
    return Object.values(stretchesOf(entry, storage)).reduce((sum, n) => sum + n, 0) / sizeOf(entry.shape);
  };
}

/** What else a session holds. */
const SLACK = 1.15;
