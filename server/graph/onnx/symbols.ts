import type { Dim } from '../ir.js';

/** A size that is not known before a call, and two values to try it with. */
export interface SizeSymbol {
  readonly name: string;
  readonly base: number;
  readonly other: number;
  /** What it counts; absent: tokens, or nobody knows what. */
  readonly is?: 'batch' | 'past' | 'side';
  /** Of a side of an image: 0 for its height. */
  readonly axis?: 0 | 1;
}

/**
 * What a size is in terms of the symbols, from its value with all of them at their base and with each of them at its other value in turn: a
 * number, a symbol, `4·T`, `T+1`, the sum of two under their common name, or the product of two. `?` for what is none of these.
 */
export function sizeIn(
  symbols: readonly SizeSymbol[],
  value: number,
  others: readonly number[],
  sum: (names: string) => string,
): Dim {
  const moved = symbols.flatMap((symbol, i): Moved[] => {
    const slope = ((others[i] as number) - value) / (symbol.other - symbol.base);
    return slope === 0 ? [] : [{ ...symbol, slope }];
  });
  if (moved.length === 0) return value;
  const [first, second] = moved as [Moved, Moved | undefined];
  if (!second) return alone(first.name, first.slope, value - first.slope * first.base);
  if (moved.length > 2) return ofThree(moved, value, sum);
  if (first.slope === second.slope) {
    const rest = value - first.slope * (first.base + second.base);
    if (rest === 0 || moved.every(({ slope }) => Number.isInteger(slope)))
      return alone(sum(`${first.name}+${second.name}`), first.slope, rest);
  }
  const factor = value / (first.base * second.base);
  const isProduct = first.slope === factor * second.base && second.slope === factor * first.base;
  return isProduct && Number.isInteger(factor) ? [first.name, second.name, ...(factor === 1 ? [] : [factor])].join('·') : '?';
}

interface Moved extends SizeSymbol {
  readonly slope: number;
}

/** a · (b + c), which is what a batch of sequences with those before them is. */
function ofThree(moved: readonly Moved[], value: number, sum: (names: string) => string): Dim {
  const [a, b, c] = moved as [Moved, Moved, Moved];
  const isProduct = moved.length === 3 && b.slope === c.slope && b.slope === a.base && value === a.base * (b.base + c.base);
  return isProduct ? `${a.name}·${sum(`${b.name}+${c.name}`)}` : '?';
}

function alone(name: string, slope: number, rest: number): Dim {
  const share = 1 / slope;
  if (rest === 0 && !Number.isInteger(slope) && Number.isInteger(share)) return `${name}/${share}`;
  if (!Number.isInteger(slope)) return '?';
  const term = slope === 1 ? name : `${slope}·${name}`;
  return rest === 0 ? term : rest > 0 ? `${term}+${rest}` : `${term}−${-rest}`;
}
