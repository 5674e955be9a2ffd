import { sizeOf } from '../tensor/tensor.js';
import { formatError } from './errors.js';
import { quoted } from './tensorTable.js';
import { writeWhole } from './writeWhole.js';

interface Written {
  readonly shape: readonly number[];
  readonly data: ArrayBufferView & { readonly length: number; readonly BYTES_PER_ELEMENT: number };
  /** Where the kind of array does not say it: half precision comes as bits, truth values as bytes. */
  readonly dtype?: string;
}

/** A tensor that is too large to be held: its numbers come in order, a part at a time. */
export interface Streamed {
  readonly shape: readonly number[];
  readonly dtype: 'F32';
  parts(): AsyncIterable<Float32Array>;
}

export type Saved = Written | Streamed;

const isStreamed = (tensor: Saved): tensor is Streamed => 'parts' in tensor;
const itemBytes = (tensor: Saved): number =>
  isStreamed(tensor) ? Float32Array.BYTES_PER_ELEMENT : tensor.data.BYTES_PER_ELEMENT;
const byteLength = (tensor: Saved): number => itemBytes(tensor) * sizeOf(tensor.shape);

const dtypeOf: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [Float32Array, 'F32'],
  [Float64Array, 'F64'],
  [Int8Array, 'I8'],
  [Uint8Array, 'U8'],
  [Int16Array, 'I16'],
  [Uint16Array, 'U16'],
  [Int32Array, 'I32'],
  [Uint32Array, 'U32'],
  [BigInt64Array, 'I64'],
  [BigUint64Array, 'U64'],
]);

/**
 * Writes tensors by the kind of their data. The file appears whole or not at all; what is streamed is never whole in memory. Throws SIZE_MISMATCH for a tensor whose shape does not fit its data, FILE_UNWRITABLE.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Saved>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  // Wider types first, so that every tensor starts at a multiple of its own size.
  const sorted = [...tensors].sort(([a, x], [b, y]) => itemBytes(y) - itemBytes(x) || (a < b ? -1 : 1));
  const header = headerOf(path, sorted, metadata);
  await writeWhole(path, async (file) => {
    await file.writeFile(header);
    for (const [name, tensor] of sorted) {
      let written = 0;
      for await (const part of isStreamed(tensor) ? tensor.parts() : [tensor.data]) {
        await file.writeFile(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
        written += part.byteLength;
      }
      if (written !== byteLength(tensor)) throw sizeMismatch(path, name, tensor.shape, written / itemBytes(tensor));
    }
  });
}

const sizeMismatch = (path: string, name: string, shape: readonly number[], count: number) =>
  formatError('SIZE_MISMATCH', path, null, `Tensor ${quoted(name)} has the shape [${shape.join(', ')}] and ${count} values.`);

/** u64 length and JSON, padded with spaces so that the data begins at a multiple of 8. */
function headerOf(
  path: string,
  tensors: readonly (readonly [string, Saved])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) entries.__metadata__ = metadata;
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const { shape } = tensor;
    if (!isStreamed(tensor) && sizeOf(shape) !== tensor.data.length) throw sizeMismatch(path, name, shape, tensor.data.length);
    const dtype = tensor.dtype ?? dtypeOf.get((tensor as Written).data.constructor);
    const end = offset + byteLength(tensor);
    entries[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return header;
}
