import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { ggmlIntegers, type Integers } from '../formats/ggmlIntegers.js';
import { bindable } from '../formats/read.js';
import type { Use } from '../graph/uses.js';
import { sizeOf } from '../tensor/tensor.js';

/** In which form a tensor is given to the sessions. */
export type Storage =
  /** Where it is, F32, F16 or BF16. */
  | { readonly kind: 'bound' }
  /** In fp32 in a file of our own. */
  | { readonly kind: 'decoded' }
  /** As the whole numbers and scales of its own type, put apart. */
  | { readonly kind: 'blocks'; readonly integers: Integers; readonly turned: boolean };

export type Uses = ReadonlyMap<string, ReadonlySet<Use>>;
export type WeightPlan = ReadonlyMap<string, Storage>;

/** How each tensor that is used is stored. */
export function planWeights(checkpoint: Checkpoint, uses: Uses): WeightPlan {
  const used = [...checkpoint.tensors.values()].filter(({ name }) => uses.has(name));
  return new Map(used.map((entry) => [entry.name, storageOf(entry, uses.get(entry.name) as ReadonlySet<Use>)]));
}

function storageOf(entry: TensorEntry, uses: ReadonlySet<Use>): Storage {
  if (bindable(entry)) return { kind: 'bound' };
  const integers = ggmlIntegers.get(entry.dtype);
  const turned = entry.transpose;
  const only = (...allowed: Use[]) => [...uses].every((use) => allowed.includes(use));
  const fits = turned ? entry.shape.length === 2 && only('turned') : entry.shape.length >= 2 && only('rows', 'product');
  return integers && fits && entry.restore === null ? { kind: 'blocks', integers, turned } : { kind: 'decoded' };
}

const FLOAT = 4;

/** Bytes of each stretch that a storage needs in our own file. */
export function stretchesOf({ shape }: TensorEntry, storage: Storage): Readonly<Record<string, number>> {
  const values = sizeOf(shape);
  if (storage.kind === 'bound') return {};
  if (storage.kind === 'decoded') return { values: values * FLOAT };
  const { bits, run, floors } = storage.integers;
  const runs = (values / run) * FLOAT;
  return {
    plane0: values / 2,
    ...(bits === 8 && { plane1: values / 2 }),
    scales: runs,
    ...(floors && { floors: runs }),
  };
}

/** Bytes the sessions hold: packed copies of what is multiplied; tables of which only rows are read stay in their file. */
export function memoryOf(checkpoint: Checkpoint, plan: WeightPlan, uses: Uses): number {
  let bytes = 0;
  for (const [name, storage] of plan) {
    const entry = checkpoint.tensors.get(name) as TensorEntry;
    if ([...(uses.get(name) ?? [])].every((use) => use === 'rows')) continue;
    const stretches = Object.values(stretchesOf(entry, storage));
    bytes += storage.kind === 'bound' ? sizeOf(entry.shape) * FLOAT : stretches.reduce((sum, n) => sum + n, 0);
  }
  return Math.ceil(bytes * SLACK);
}

/** What else a session holds. */
const SLACK = 1.15;
