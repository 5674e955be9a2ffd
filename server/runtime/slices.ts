import { sizeOf, type Tensor } from '../tensor/tensor.js';

/** Rows from…to−1 of one axis, copied. */
export function sliceAxis({ shape, data }: Tensor, axis: number, from: number, to: number): Tensor {
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis] as number;
  const outer = sizeOf(shape.slice(0, axis));
  const width = (to - from) * inner;
  const out = new Float32Array(outer * width);
  for (let o = 0; o < outer; o++) {
    const start = (o * length + from) * inner;
    out.set(data.subarray(start, start + width), o * width);
  }
  return { shape: shape.toSpliced(axis, 1, to - from), data: out };
}

export interface KeyColumns {
  /** Valid cached columns, the first of the C cached ones. */
  readonly kept: number;
  /** Columns of the tokens computed, the last ones. */
  readonly fresh: number;
  /** Position of the first cached column (or of the first fresh one when none is cached). */
  readonly first: number;
  /** Columns of the result: positions 0…total−1. */
  readonly total: number;
  /** Value of positions nobody scored. */
  readonly empty: number;
}

/** [..., C + fresh] scores over cached and fresh keys → [..., total] over positions. */
export function placeKeys({ shape, data }: Tensor, columns: KeyColumns): Tensor {
  const { kept, fresh, first, total, empty } = columns;
  const width = shape.at(-1) as number;
  const rows = sizeOf(shape.slice(0, -1));
  const out = new Float32Array(rows * total);
  if (empty !== 0 && kept + fresh < total) out.fill(empty);
  for (let r = 0; r < rows; r++) {
    const from = r * width;
    out.set(data.subarray(from, from + kept), r * total + first);
    out.set(data.subarray(from + width - fresh, from + width), r * total + first + kept);
  }
  return { shape: [...shape.slice(0, -1), total], data: out };
}
