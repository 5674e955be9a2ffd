/** Where a weight's numbers are, as the emitter binds them: nothing here reads a file. */

/** Bytes of a file; `location` is relative to the session's external data folder. */
export interface Stretch {
  readonly location: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Values as they are, row-major in their logical shape. */
export interface PlainPlace extends Stretch {
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
}

/** Codes of all values, row by row; a code stands for factor · (code − zero). Of four bits there are two to a byte, the first in the low half. */
export interface Plane {
  readonly bits: 4 | 8;
  readonly codes: Stretch;
  readonly factor: 1 | 16;
  /** Zeros as MatMulNBits takes them, `zeroBytes` a row; null: half of the range. */
  readonly zeros: Stretch | null;
}

/**
 * A matrix [N, K] of whole numbers in n = ⌈K / run⌉ runs a row that share a scale: value = scale · Σ planes + floor. Eight bits that are computed
 * in fp32 are two planes of four, since that kernel of com.microsoft.MatMulNBits knows only four.
 */
export interface BlockPlace {
  /** Of the weight: [N, K]; turned: [K, N]; with an axis of parts in front for stacked experts. */
  readonly shape: readonly number[];
  readonly turned: boolean;
  readonly run: number;
  readonly planes: readonly Plane[];
  /** f32 [N, n]. */
  readonly scales: Stretch;
  /** f32 [N, n]; null: all 0. */
  readonly floors: Stretch | null;
  /** MatMulNBits' accuracy_level: 1 computes in fp32, 4 rounds activations to 8 bits in runs of the same length. */
  readonly accuracy: 1 | 4;
}

/** A matrix [N, K] as whole numbers −127…127 with one scale a row, for products with many tokens: what integer units multiply fastest. */
export interface RowPlace {
  /** Of the weight, as in BlockPlace. */
  readonly shape: readonly number[];
  readonly turned: boolean;
  /** s8 [N, K]. */
  readonly codes: Stretch;
  /** f32 [N]. */
  readonly rowScales: Stretch;
}

/** A matrix [N, K] in half precision of which a product widens some rows at a time; it stands for factor · values, a power of two. */
export interface HalfPlace extends Stretch {
  /** Of the weight, as in BlockPlace; the rows lie one behind the other. */
  readonly shape: readonly number[];
  readonly turned: boolean;
  readonly factor: number;
}

export type WeightPlace = PlainPlace | BlockPlace | RowPlace | HalfPlace;

export const isBlocks = (place: WeightPlace): place is BlockPlace => 'planes' in place;
export const isHalves = (place: WeightPlace): place is HalfPlace => 'factor' in place;
export const isRows = (place: WeightPlace): place is RowPlace => 'rowScales' in place;

/** Index `part` of the first axis. */
export function partOf(place: WeightPlace, part: number): WeightPlace {
  const parts = place.shape[0] as number;
  const shape = place.shape.slice(1);
  const cut = <S extends Stretch>(s: S): S => ({ ...s, offset: s.offset + part * (s.bytes / parts), bytes: s.bytes / parts });
  if (isRows(place)) return { ...place, shape, codes: cut(place.codes), rowScales: cut(place.rowScales) };
  if (!isBlocks(place)) return cut({ ...place, shape });
  const planes = place.planes.map((plane) => ({ ...plane, codes: cut(plane.codes), zeros: plane.zeros && cut(plane.zeros) }));
  return { ...place, shape, planes, scales: cut(place.scales), floors: place.floors && cut(place.floors) };
}

/** Bytes of the zero points of a row of n runs. */
export const zeroBytes = (n: number, bits: 4 | 8): number => Math.ceil((n * bits) / 8);
