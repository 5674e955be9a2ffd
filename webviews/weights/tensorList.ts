import type { TensorSummary } from '../../server/protocol/models.js';
import { parametersOf } from './tree.js';

export type SortKey = 'name' | 'dtype' | 'shape' | 'parameters' | 'bytes' | 'offset';

export interface Sorting {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** Every word must occur in the name, the dtype or the shape (`2048x512` or one size): "attn f16 2048". */
export function filterTensors(tensors: readonly TensorSummary[], query: string): readonly TensorSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return tensors;
  return tensors.filter(({ name, dtype, shape }) => {
    const lower = name.toLowerCase();
    const sizes = shape.map(String);
    return words.every(
      (word) =>
        lower.includes(word) ||
        dtype.toLowerCase() === word ||
        sizes.includes(word) ||
        sizes.join('x') === word.replaceAll('×', 'x'),
    );
  });
}

/** layers.2 comes before layers.10. */
const collator = new Intl.Collator('en', { numeric: true });

const COMPARE: Record<SortKey, (a: TensorSummary, b: TensorSummary) => number> = {
  name: (a, b) => collator.compare(a.name, b.name),
  dtype: (a, b) => collator.compare(a.dtype, b.dtype),
  shape: (a, b) => collator.compare(a.shape.join(' '), b.shape.join(' ')),
  parameters: (a, b) => parametersOf(a) - parametersOf(b),
  bytes: (a, b) => a.bytes - b.bytes,
  offset: (a, b) => a.file - b.file || a.offset - b.offset,
};

/** Equal ones stay in the order of their names. */
export function sortTensors(tensors: readonly TensorSummary[], { key, descending }: Sorting): readonly TensorSummary[] {
  const sign = descending ? -1 : 1;
  return [...tensors].sort((a, b) => sign * COMPARE[key](a, b) || COMPARE.name(a, b));
}

export interface DtypeShare {
  readonly dtype: string;
  readonly bytes: number;
  readonly tensors: number;
}

/** Bytes by dtype, largest first. */
export function byDtype(tensors: readonly TensorSummary[]): readonly DtypeShare[] {
  const shares = new Map<string, DtypeShare>();
  for (const { dtype, bytes } of tensors) {
    const known = shares.get(dtype);
    shares.set(dtype, { dtype, bytes: (known?.bytes ?? 0) + bytes, tensors: (known?.tensors ?? 0) + 1 });
  }
  return [...shares.values()].sort((a, b) => b.bytes - a.bytes);
}
