/** fp32 in row-major order: what leaves the engine. Integers that are not values but ids travel as Int32Array. */
export interface Tensor<D extends Float32Array | Int32Array | Uint8Array = Float32Array> {
  readonly shape: readonly number[];
  readonly data: D;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
