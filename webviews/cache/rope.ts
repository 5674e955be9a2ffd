import type { CachedRow } from '../../server/protocol/inspect.js';

/** Which dimensions RoPE turns together, and how fast. */
export interface Rotation {
  /** The other dimension of the pair; null for one that is not rotated (partial RoPE). */
  partner(dimension: number): number | null;
  /** Radians a token; 0 for one that is not rotated. */
  frequency(dimension: number): number;
}

export function rotation({ style, frequencies }: NonNullable<CachedRow['rope']>): Rotation {
  const pairs = frequencies.data.length;
  const pairOf = (dimension: number) => (style === 'half' ? dimension % pairs : dimension >> 1);
  const rotated = (dimension: number) => dimension < 2 * pairs;
  return {
    partner: (dimension) => {
      if (!rotated(dimension)) return null;
      if (style === 'interleaved') return dimension ^ 1;
      return dimension < pairs ? dimension + pairs : dimension - pairs;
    },
    frequency: (dimension) => (rotated(dimension) ? (frequencies.data[pairOf(dimension)] ?? 0) : 0),
  };
}

/** Tokens for one full turn; Infinity for a dimension that stands still. */
export const wavelength = (frequency: number): number => (frequency === 0 ? Infinity : (2 * Math.PI) / Math.abs(frequency));
