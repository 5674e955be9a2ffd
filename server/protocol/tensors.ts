/** Tensors as they travel: typed arrays survive structured clone, so nothing is encoded as text. */
export type WireData = Float32Array | Uint8Array | Int32Array | Uint32Array | Float64Array;

export interface WireTensor<D extends WireData = Float32Array> {
  readonly shape: readonly number[];
  /** Row-major; owns its whole buffer (a subarray would drag the buffer behind it along). */
  readonly data: D;
}
