import { formatError } from './errors.js';
import type { ProtoField, ProtoReader } from './protoReader.js';
import { elementsOf, quoted } from './tensorTable.js';

/** Stored types by TensorProto.DataType (onnx.proto): our name and the bits of one value; strings have no fixed size. */
export const onnxTypes: ReadonlyMap<number, { readonly dtype: string; readonly bits: number }> = new Map(
  (
    [
      [1, 'F32', 32],
      [2, 'U8', 8],
      [3, 'I8', 8],
      [4, 'U16', 16],
      [5, 'I16', 16],
      [6, 'I32', 32],
      [7, 'I64', 64],
      [8, 'STRING', 0],
      [9, 'BOOL', 8],
      [10, 'F16', 16],
      [11, 'F64', 64],
      [12, 'U32', 32],
      [13, 'U64', 64],
      [14, 'C64', 64],
      [15, 'C128', 128],
      [16, 'BF16', 16],
      [17, 'F8_E4M3', 8],
      [18, 'F8_E4M3FNUZ', 8],
      [19, 'F8_E5M2', 8],
      [20, 'F8_E5M2FNUZ', 8],
      [21, 'U4', 4],
      [22, 'I4', 4],
      [23, 'F4', 4],
      [24, 'F8_E8M0', 8],
      [25, 'U2', 2],
      [26, 'I2', 2],
      [27, 'F6_E2M3', 6],
      [28, 'F6_E3M2', 6],
    ] as const
  ).map(([id, dtype, bits]) => [id, { dtype, bits }]),
);

/** Fields of TensorProto that hold values; `raw` as little-endian bytes, the others one by one. */
export const payloads = { float: 4, int32: 5, string: 6, int64: 7, raw: 9, double: 10, uint64: 11 } as const;
const typed: ReadonlySet<number> = new Set(Object.values(payloads).filter((field) => field !== payloads.raw));
/** Packed, these are the bytes that `raw_data` would hold. */
const fixed: ReadonlySet<number> = new Set([payloads.float, payloads.double]);
export const externalFields = { entries: 13, location: 14 } as const;

export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  /** Null: up to the end of the file. */
  readonly length: number | null;
  readonly at: number;
}

/** A TensorProto as it lies in the file, its values untouched. */
export interface StoredTensor {
  readonly name: string;
  /** Of `onnxTypes`. */
  readonly dtype: string;
  readonly bits: number;
  readonly shape: readonly number[];
  readonly elements: number;
  /** The message itself. */
  readonly from: number;
  readonly to: number;
  /** Where the values are: as little-endian bytes, one by one in the message, in another file, or nowhere. */
  readonly values:
    | { readonly kind: 'raw'; readonly from: number; readonly to: number }
    | { readonly kind: 'typed' }
    | ({ readonly kind: 'external' } & ExternalData)
    | { readonly kind: 'none' };
}

/** Bytes of the values, packed without gaps. */
export const storedBytes = ({ elements, bits }: Pick<StoredTensor, 'elements' | 'bits'>): number =>
  Math.ceil((elements * bits) / 8);

/** Reads all of a TensorProto but its values. Throws HEADER_*, DTYPE_UNKNOWN, SHAPE_INVALID, SIZE_MISMATCH, EXTERNAL_INVALID. */
export async function readStoredTensor(reader: ProtoReader, { from, to }: ProtoField): Promise<StoredTensor> {
  const { path } = reader.file;
  let [name, type] = ['', 0];
  const shape: number[] = [];
  const raw: ProtoField[] = [];
  const entries: ProtoField[] = [];
  const singly: ProtoField[] = [];
  let external = false;
  for (let at = from; at < to; ) {
    const field = reader.fieldAtHand(at, to) ?? (await reader.field(at, to));
    at = field.to;
    if (field.number === 1) shape.push(...(await reader.numbers(field, 'A shape')));
    else if (field.number === 2) type = field.value;
    else if (field.number === 3)
      throw formatError('HEADER_INVALID', path, field.at, 'A tensor is cut into segments, which no runtime reads.');
    else if (field.number === 8) name = await reader.text(field, 'A tensor name');
    else if (field.number === payloads.raw) raw.push(field);
    else if (typed.has(field.number)) singly.push(field);
    else if (field.number === externalFields.entries) entries.push(field);
    else if (field.number === externalFields.location) external = field.value === 1;
  }
  const known = onnxTypes.get(type);
  if (!known) throw formatError('DTYPE_UNKNOWN', path, from, `Tensor ${quoted(name)} has the unknown data type ${type}.`);
  const elements = elementsOf(shape, name, path, from);
  const packed = singly.length === 1 && singly.every(({ wire, number }) => wire === 2 && fixed.has(number));
  const last = packed && elements > 0 ? singly[0] : raw.at(-1);
  const values: StoredTensor['values'] = external
    ? { kind: 'external', ...(await readExternal(reader, entries, name, from)) }
    : last
      ? { kind: 'raw', from: last.from, to: last.to }
      : { kind: singly.some((field) => field.to > field.from) ? 'typed' : 'none' };
  const tensor = { name, ...known, shape, elements, from, to, values };
  checkSize(tensor, path);
  return tensor;
}

function checkSize({ name, dtype, shape, elements, bits, from, values }: StoredTensor, path: string): void {
  const needed = storedBytes({ elements, bits });
  const found = values.kind === 'raw' ? values.to - values.from : values.kind === 'external' ? values.length : null;
  const wrong = values.kind === 'none' ? needed > 0 || (bits === 0 && elements > 0) : found !== null && found !== needed;
  if (wrong)
    throw formatError(
      'SIZE_MISMATCH',
      path,
      from,
      `Tensor ${quoted(name)} (${dtype} [${shape.join(', ')}]) needs ${needed} bytes and has ${found ?? 0}.`,
    );
}

async function readExternal(
  reader: ProtoReader,
  entries: readonly ProtoField[],
  name: string,
  at: number,
): Promise<ExternalData> {
  const pairs = new Map<string, string>();
  for (const entry of entries) {
    const pair = ['', ''];
    for (let next = entry.from; next < entry.to; ) {
      const field = reader.fieldAtHand(next, entry.to) ?? (await reader.field(next, entry.to));
      next = field.to;
      if (field.number === 1 || field.number === 2) pair[field.number - 1] = await reader.text(field, 'A text');
    }
    pairs.set(pair[0] as string, pair[1] as string);
  }
  const whole = (key: string): number | null => {
    const text = pairs.get(key);
    if (text === undefined) return null;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw formatError(
      'EXTERNAL_INVALID',
      reader.file.path,
      at,
      `Tensor ${quoted(name)} has the external ${key} ${quoted(text)}.`,
    );
  };
  const location = pairs.get('location') ?? '';
  if (location === '')
    throw formatError(
      'EXTERNAL_INVALID',
      reader.file.path,
      at,
      `Tensor ${quoted(name)} lies in another file and does not say which.`,
    );
  return { location, offset: whole('offset') ?? 0, length: whole('length'), at };
}
