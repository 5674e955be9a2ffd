import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import type { BlockProduct, ComputeType, Fit, Machine } from '../protocol/fit.js';
import type { RunDtype } from '../protocol/models.js';
import { bytesPerElement, type WeightPlan } from '../runtime/weightPlan.js';
import { sizeOf } from '../tensor/tensor.js';

export const BYTES: Readonly<Record<ComputeType, number>> = { fp32: 4, fp16: 2, bf16: 2, int8: 1 };

/** How a tensor is read and multiplied. */
export interface StoredWeight {
  /** Bytes of an element, with its share of what scales a run of them. */
  readonly perElement: number;
  /** Which kind of product with whole numbers, and how many it takes; null for floating point. */
  readonly product: BlockProduct | null;
  readonly planes: 1 | 2;
}

export type StoredWeights = (tensor: string) => StoredWeight;

/** The best type that a machine publishes a peak for; here what is not whole numbers is computed in fp32. */
export function floatType({ flops, measured }: Machine, dtype: RunDtype): ComputeType {
  if (measured || dtype === 'fp32') return 'fp32';
  return flops.bf16 ? 'bf16' : flops.fp16 || flops.fp32 === undefined ? 'fp16' : 'fp32';
}

/**
 * Here weights are read as they are prepared to be run. Elsewhere whole numbers that the file has stay as they lie there, those we would round to have
 * a scale of the machine's type and a zero point a run, and everything else is of that type.
 */
export function storedWeights(
  checkpoint: Checkpoint,
  plans: readonly WeightPlan[],
  { measured }: Machine,
  float: ComputeType,
): StoredWeights {
  const known = new Map<string, StoredWeight>();
  const prepared = plans.map((plan) => bytesPerElement(checkpoint, plan));
  const find = (tensor: string): StoredWeight => {
    const blocks = plans.map((plan) => plan.get(tensor)?.matrix).find((storage) => storage?.kind === 'blocks');
    if (blocks?.kind !== 'blocks') return { perElement: measured ? 4 : BYTES[float], product: null, planes: 1 };
    const { bits, rounded, integers, run, zeros } = blocks;
    const entry = checkpoint.tensors.get(tensor) as TensorEntry;
    const elsewhere = integers ? entry.bytes / sizeOf(entry.shape) : bits / 8 + (BYTES[float] + (zeros ? bits / 8 : 0)) / run;
    return {
      // a tensor that one stack does not use is not in its plan, and counts as fp32 there
      perElement: measured ? Math.min(...prepared.map((bytes) => bytes(tensor))) : elsewhere,
      product: rounded ? (bits === 8 ? 'int8' : 'int4') : 'own4',
      planes: bits === 8 && !rounded ? 2 : 1,
    };
  };
  return (tensor) => {
    const stored = known.get(tensor) ?? find(tensor);
    known.set(tensor, stored);
    return stored;
  };
}

/** Operations a second of products with such a weight, of all else when there is none; null where nobody publishes it. */
export function peakOf({ flops, measured }: Machine, float: ComputeType, stored: StoredWeight | null): number | null {
  if (stored?.product && measured) return measured.products[stored.product].flops / stored.planes;
  const whole = stored?.product && stored.product !== 'own4' ? flops.int8 : undefined;
  return whole ?? flops[float] ?? null;
}

/** The lines of the roofline: those of the products that most weights take part in. */
export function roofOf(
  checkpoint: Checkpoint,
  stored: StoredWeights,
  machine: Machine,
  float: ComputeType,
): Pick<Fit, 'type' | 'roof'> {
  const elements = new Map<number | null, { readonly count: number; readonly type: ComputeType }>();
  for (const { name, shape } of checkpoint.tensors.values()) {
    if (shape.length < 2) continue;
    const how = stored(name);
    const peak = peakOf(machine, float, how);
    const whole = how.product !== null && how.product !== 'own4' && (machine.measured || machine.flops.int8 !== undefined);
    elements.set(peak, { count: (elements.get(peak)?.count ?? 0) + sizeOf(shape), type: whole ? 'int8' : float });
  }
  const [most] = [...elements].sort(([, a], [, b]) => b.count - a.count);
  const [peak, { type }] = most ?? [peakOf(machine, float, null), { type: float }];
  return { type, roof: { bandwidth: machine.bandwidth, peak } };
}
