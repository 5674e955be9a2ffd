import type { CheckpointFile, TensorEntry } from './checkpoint.js';
/** A tensor as a header declares it, with the offset of that declaration for error messages. */
export interface Declared {
  readonly entry: TensorEntry;
  readonly declaredAt: number;
}
/** What most formats leave as it is. */
export declare const inOrder: {
  readonly permuteRows: null;
  readonly transpose: false;
  readonly restore: null;
};
/**
 * Elements of a declared shape. Throws SHAPE_INVALID for anything but non-negative integers whose product a double holds exactly.
 */
export declare function elementsOf(shape: readonly unknown[], name: string, file: string, declaredAt: number): number;
/** Bytes of `elements` values. Throws DTYPE_UNKNOWN, or SIZE_MISMATCH when rows do not consist of whole blocks. */
export declare function bytesOf(
  dtype: string,
  shape: readonly number[],
  elements: number,
  name: string,
  file: string,
  declaredAt: number,
): number;
/**
 * The table of a checkpoint. Throws NAME_DUPLICATE, OFFSET_INVALID for data beyond its file and, unless tensors may share
 * storage (`shared`), TENSOR_OVERLAP at the first byte claimed twice.
 */
export declare function tensorTable(
  declared: readonly Declared[],
  files: readonly CheckpointFile[],
  shared?: boolean,
): Map<string, TensorEntry>;
/** A name for a message: as JSON, so that control characters show, and at most 80 characters of it. */
export declare const quoted: (name: string) => string;
