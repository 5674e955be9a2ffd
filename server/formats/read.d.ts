import type { Checkpoint, TensorEntry } from './checkpoint.js';
/** Half-open range of rows: a row is everything behind the first axis. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}
/**
 * True when ONNX Runtime can use the bytes where they are (external data: file, offset, length): F32, F16 or BF16 in canonical order
 * and at their own alignment.
 */
export declare const bindable: (entry: TensorEntry) => boolean;
/** Fills `out` with the values of `bytes`, which hold whole blocks. Throws DTYPE_UNDECODABLE, DTYPE_UNKNOWN. */
export declare const decodeBytes: (dtype: string, bytes: Uint8Array, out: Float32Array) => void;
/** Canonical values of `entry`, or of some of its rows, as fp32 in row-major order. Throws ROWS_INVALID, TENSOR_TOO_BIG, DTYPE_UNDECODABLE. */
export declare function readTensor(checkpoint: Checkpoint, entry: TensorEntry, rows?: Rows): Promise<Float32Array>;
/** Reads ranges of one tensor with its file kept open. */
export declare class TensorReader {
  private readonly file;
  private readonly entry;
  private readonly dtype;
  /** Stored bytes read so far. */
  bytesRead: number;
  private readonly width;
  private readonly height;
  private constructor();
  static open(checkpoint: Checkpoint, entry: TensorEntry): Promise<TensorReader>;
  get path(): string;
  close(): Promise<void>;
  /** Canonical elements [from, to) of the flattened tensor. */
  elements(from: number, to: number): Promise<Float32Array>;
  /** Stored elements [from, to), slab by slab: `use` gets a slab and its distance from `from`. The slab is reused. */
  private stored;
  /** Rows permuted within a neighbourhood (a head): reads the hull of the stored rows and picks. */
  private permuted;
  /** The file has column c of the canonical matrix as its row c. */
  private transposed;
}
