/** Values of one tensor in double precision, row-major; whole numbers and booleans (0, 1) too. */
export interface Exact {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** What a node computes: its inputs in order (null where one is left out), its attributes. One tensor an output. */
export type Kernel = (inputs: readonly (Exact | null)[], attributes: Readonly<Record<string, unknown>>) => readonly Exact[];

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export const exact = (shape: readonly number[], data: ArrayLike<number | bigint>): Exact => ({
  shape,
  data: Float64Array.from(data as ArrayLike<number>, Number),
});

/** Axis counted from the end when negative. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Elements before, on and behind an axis: the tensor as [outer, length, inner]. */
export function around(shape: readonly number[], axis: number): { outer: number; length: number; inner: number } {
  const at = axisOf(axis, shape.length);
  return { outer: sizeOf(shape.slice(0, at)), length: shape[at] as number, inner: sizeOf(shape.slice(at + 1)) };
}

/** The shape two tensors broadcast to. Throws RangeError. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - (rank - a.length)] ?? 1;
    const y = b[axis - (rank - b.length)] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`shapes [${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** For each element of `to`, where it is read from in a tensor of `shape`. */
export function broadcastIndex(shape: readonly number[], to: readonly number[]): Int32Array {
  const index = new Int32Array(sizeOf(to));
  let stride = 1;
  let repeat = 1; // elements of `to` behind the axis at hand
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const length = to[axis] as number;
    const own = shape[axis - (to.length - shape.length)] ?? 1;
    if (own !== 1)
      for (let i = 0; i < index.length; i++) index[i] = (index[i] as number) + (Math.floor(i / repeat) % length) * stride;
    stride *= own;
    repeat *= length;
  }
  return index;
}
