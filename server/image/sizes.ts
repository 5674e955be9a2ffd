import { invalid, type Raw } from './processors.js';

/** [height, width] in pixels. */
export type Sides = readonly [number, number];

const isSide = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= 1 << 15;

/** {height, width}, or what stands for it: one number, or both in a list. */
export function sidesOf(key: string, value: unknown): Sides {
  if (isSide(value)) return [value, value];
  const { height, width } = (Array.isArray(value) ? { height: value[0], width: value[1] } : (value ?? {})) as Raw;
  if (!isSide(height) || !isSide(width)) throw invalid(key, value, 'height and width');
  return [height, width];
}

/** What an image is resized to, and for ConvNext what is cut out of that at once. Errors: PREPROCESSOR_INVALID. */
export function resizedTo(own: Raw, from: Sides): { readonly size: Sides; readonly crop: Sides | null } {
  const { size } = own;
  const asked = isSide(size) && own.default_to_square === false ? { shortest_edge: size } : size;
  const { shortest_edge, longest_edge, max_height, max_width } = (typeof asked === 'object' && asked ? asked : {}) as Raw;
  for (const side of [shortest_edge, longest_edge, max_height, max_width])
    if (side !== undefined && side !== null && !isSide(side)) throw invalid('size', size, 'whole numbers of pixels');
  if (own.crop_pct !== undefined) return ofPart(own.crop_pct, shortest_edge, size, from);
  if (isSide(shortest_edge))
    return {
      size: isSide(longest_edge) ? bounded(from, shortest_edge, longest_edge) : byShortest(from, shortest_edge),
      crop: null,
    };
  if (!isSide(max_height) || !isSide(max_width)) return { size: sidesOf('size', asked), crop: null };
  const scale = Math.min(max_height / from[0], max_width / from[1]);
  return { size: [checked(from[0] * scale, size), checked(from[1] * scale, size)], crop: null };
}

function checked(side: number, size: unknown): number {
  if (side < 1) throw invalid('size', size, 'a size at which the image is not empty');
  return Math.trunc(side);
}

/** Puts the shorter and the longer side where they were. */
const like = ([height, width]: Sides, short: number, long: number): Sides => (width <= height ? [long, short] : [short, long]);

const byShortest = (from: Sides, to: number): Sides => like(from, to, Math.trunc((to * Math.max(...from)) / Math.min(...from)));

/** The shorter side as asked, unless the longer one would pass its bound. */
function bounded(from: Sides, shortest: number, longest: number): Sides {
  const [short, long] = [Math.min(...from), Math.max(...from)];
  const isLong = (long / short) * shortest > longest;
  const exact = isLong ? (longest * short) / long : shortest;
  const rounded = roundToEven(exact);
  if (rounded === short) return from;
  return like(from, Math.max(1, rounded), Math.trunc((exact * long) / short));
}

/** Python's round. */
const roundToEven = (x: number): number => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** ConvNext: below 384 pixels the middle of a somewhat larger image, from there on the whole image made square. */
function ofPart(part: unknown, shortest: unknown, size: unknown, from: Sides): ReturnType<typeof resizedTo> {
  if (!isSide(shortest)) throw invalid('size', size, 'shortest_edge');
  if (typeof part !== 'number' || !(part > 0)) throw invalid('crop_pct', part, 'a number above 0');
  if (shortest >= 384) return { size: [shortest, shortest], crop: null };
  return { size: byShortest(from, Math.trunc(shortest / part)), crop: [shortest, shortest] };
}
