/** How a stored type becomes fp32. */
export interface Dtype {
  /** Values per block, and bytes per block: 1 and the size of a value for plain types. */
  readonly elements: number;
  readonly bytes: number;
  /** Fills `out`, a whole number of blocks, from little-endian `bytes`; null for types that can be listed but not decoded. */
  readonly decode: ((bytes: Uint8Array, out: Float32Array) => void) | null;
}
