import type { CheckpointFile, TensorEntry } from './checkpoint.js';
import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';

/** A tensor as a header declares it, with the offset of that declaration for error messages. */
export interface Declared {
  readonly entry: TensorEntry;
  readonly declaredAt: number;
}

/** What most formats leave as it is. */
export const inOrder = { permuteRows: null, transpose: false, restore: null, unpack: null } as const;

/**
 * Elements of a declared shape. Throws SHAPE_INVALID for anything but non-negative integers whose product a double holds exactly.
 */
export function elementsOf(shape: readonly unknown[], name: string, file: string, declaredAt: number): number {
  const dims = shape as readonly number[];
  const product = dims.reduce((n, d) => n * d, 1);
  if (shape.length > 16 || !dims.every((d) => Number.isSafeInteger(d) && d >= 0) || !Number.isSafeInteger(product))
    throw formatError('SHAPE_INVALID', file, declaredAt, `Tensor ${quoted(name)} has the shape [${abridged(shape)}].`);
  return product;
}

/** Bytes of `elements` values. Throws DTYPE_UNKNOWN, or SIZE_MISMATCH when rows do not consist of whole blocks. */
export function bytesOf(
  dtype: string,
  shape: readonly number[],
  elements: number,
  name: string,
  file: string,
  declaredAt: number,
): number {
  const known = dtypes.get(dtype);
  if (known === undefined)
    throw formatError('DTYPE_UNKNOWN', file, declaredAt, `Tensor ${quoted(name)} has the unknown dtype ${quoted(dtype)}.`);
  const row = shape.at(-1) ?? 1;
  if (row % known.elements !== 0)
    throw formatError(
      'SIZE_MISMATCH',
      file,
      declaredAt,
      `Tensor ${quoted(name)} has rows of ${row} values, not a multiple of the ${known.elements} of a ${dtype} block.`,
    );
  return (elements / known.elements) * known.bytes;
}

/**
 * The table of a checkpoint. Throws NAME_DUPLICATE, OFFSET_INVALID for data beyond its file and, unless tensors may share
 * storage (`shared`), TENSOR_OVERLAP at the first byte claimed twice.
 */
export function tensorTable(
  declared: readonly Declared[],
  files: readonly CheckpointFile[],
  shared = false,
): Map<string, TensorEntry> {
  const table = new Map<string, TensorEntry>();
  for (const { entry, declaredAt } of declared) {
    const { path, bytes } = files[entry.file] as CheckpointFile;
    if (table.has(entry.name))
      throw formatError('NAME_DUPLICATE', path, declaredAt, `Two tensors are called ${quoted(entry.name)}.`);
    if (entry.offset + entry.bytes > bytes)
      throw formatError(
        'OFFSET_INVALID',
        path,
        declaredAt,
        `Tensor ${quoted(entry.name)} ends at byte ${entry.offset + entry.bytes}; the file has ${bytes}.`,
      );
    table.set(entry.name, entry);
  }
  if (!shared) refuseOverlap([...table.values()], files);
  return table;
}

function refuseOverlap(entries: readonly TensorEntry[], files: readonly CheckpointFile[]): void {
  const sorted = entries.filter((e) => e.bytes > 0).sort((a, b) => a.file - b.file || a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1] as TensorEntry, sorted[i] as TensorEntry];
    if (before.file === after.file && before.offset + before.bytes > after.offset)
      throw formatError(
        'TENSOR_OVERLAP',
        (files[after.file] as CheckpointFile).path,
        after.offset,
        `Tensors ${quoted(before.name)} and ${quoted(after.name)} share bytes.`,
      );
  }
}

/** A name for a message: as JSON, so that control characters show, and at most 80 characters of it. */
export const quoted = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name);

const abridged = (shape: readonly unknown[]): string =>
  shape.length > 16 ? `${shape.slice(0, 16).map(String).join(', ')}, …` : shape.map((d) => String(d).slice(0, 30)).join(', ');
