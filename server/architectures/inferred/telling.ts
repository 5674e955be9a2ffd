import type { Evidence } from './evidence.js';

/** Norms of the first block: what they store says whether they are gains, or gains minus one. */
const FIRST_NORM = /(?:^|\.)(?:layers|h|blocks|block)\.0\.\w*(?:norm|ln)\w*\.weight$/i;

/** Tensors worth reading before a family is inferred: a few vectors. */
export const tellingTensors = (names: Iterable<string>): string[] => [...names].filter((name) => FIRST_NORM.test(name));

/**
 * What the norms of the first block store. No gain is learnt to be negative: weights on both sides of zero, or nothing but zeros, are gains
 * minus one; weights that all lie near one are gains. Null: they were not read, or say neither.
 */
export function storedGains(e: Evidence): 'gains' | 'gains minus one' | null {
  const first = `${e.prefix}${e.blocks}.0.`;
  const read = [...(e.tensors.values ?? [])].filter(([name]) => name.startsWith(first));
  const values = read.flatMap(([, data]) => [...data]);
  if (values.length === 0) return null;
  const negative = values.filter((value) => value < 0).length / values.length;
  if (negative > 0.02 || values.every((value) => value === 0)) return 'gains minus one';
  return values.every((value) => value > 0.5 && value < 1.5) ? 'gains' : null;
}
