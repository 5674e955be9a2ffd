/** Values from the first to the last that a view touches. */
export const spanOf = (shape: readonly number[], strides: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((last, size, axis) => last + (size - 1) * (strides[axis] as number), 1);

/** Whether the values of a view lie one behind the other, the last axis fastest. */
export function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size !== 1 && strides[axis] !== step) return false; // PyTorch keeps any stride for axes of size 1
    step *= Math.max(size, 1);
  }
  return true;
}

/** Puts the values of a view, of `size` bytes each, one behind the other: what it spans → what it shows. */
export const gathered =
  (shape: readonly number[], strides: readonly number[], size: number) =>
  (stored: Uint8Array): Uint8Array<ArrayBuffer> => {
    const count = shape.reduce((n, d) => n * d, 1);
    const out = new Uint8Array(count * size);
    const index = shape.map(() => 0);
    let from = 0;
    for (let to = 0; to < count; to++) {
      for (let byte = 0; byte < size; byte++) out[to * size + byte] = stored[from * size + byte] as number;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const [stride, last] = [strides[axis] as number, (shape[axis] as number) - 1];
        if ((index[axis] as number) < last) {
          index[axis] = (index[axis] as number) + 1;
          from += stride;
          break;
        }
        from -= stride * last;
        index[axis] = 0;
      }
    }
    return out;
  };
