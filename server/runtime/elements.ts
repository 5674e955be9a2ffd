import { LabError } from '../protocol/errors.js';
import { floatToHalf, halfToFloat } from '../tensor/half.js';

/** A tensor of the caller's, as ONNX Runtime takes it; half precision as its bits. */
export interface HostTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array | BigUint64Array | WholeArray;
  /** The type that the model has it in, where no session gives that as it is: `type` holds its values exactly. */
  readonly own?: string;
}

type WholeArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
export type ElementType = keyof typeof elements;

/** What tensors hold that go in and out of a session: how safetensors spells it, and the array it comes in. */
export const elements = {
  float32: { dtype: 'F32', array: Float32Array },
  float64: { dtype: 'F64', array: Float64Array },
  float16: { dtype: 'F16', array: Uint16Array },
  int8: { dtype: 'I8', array: Int8Array },
  uint8: { dtype: 'U8', array: Uint8Array },
  int16: { dtype: 'I16', array: Int16Array },
  uint16: { dtype: 'U16', array: Uint16Array },
  int32: { dtype: 'I32', array: Int32Array },
  uint32: { dtype: 'U32', array: Uint32Array },
  int64: { dtype: 'I64', array: BigInt64Array },
  uint64: { dtype: 'U64', array: BigUint64Array },
  bool: { dtype: 'BOOL', array: Uint8Array },
} as const;

export const elementTypes = Object.keys(elements) as readonly ElementType[];

/** The type that safetensors spells so; null for one that no session takes or gives as it is. */
export const elementOf = (dtype: string): ElementType | null =>
  elementTypes.find((type) => elements[type].dtype === dtype) ?? null;

const isFloat = (type: ElementType): boolean => type.startsWith('float');

const outOfRange = (value: number | bigint, type: ElementType) =>
  new LabError({
    code: 'INPUT_DTYPE',
    message: `${value} does not fit into ${type}.`,
    hint: 'Convert the tensor to the type that the model takes.',
  });

/** fp32 values of a tensor of any type. */
export function floatsOf({ type, data }: HostTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (type !== 'float16') return Float32Array.from(data as ArrayLike<number>, Number);
  const values = halfToFloat();
  return Float32Array.from(data as Uint16Array, (code) => values[code] as number);
}

/**
 * The same values in another type: floats among each other, whole numbers and truth values as anything that holds them exactly. Null where
 * one does not stand for the other (a float for a whole number). Errors: INPUT_DTYPE for a number that does not fit.
 */
export function convert(tensor: HostTensor, to: ElementType): HostTensor | null {
  const { type, dims, data } = tensor;
  if (type === to) return tensor;
  if (isFloat(type) && !isFloat(to)) return null;
  if (to === 'float32') return { type: to, dims, data: floatsOf(tensor) };
  if (to === 'float16') return { type: to, dims, data: Uint16Array.from(floatsOf(tensor), floatToHalf) };
  if (to === 'float64')
    return { type: to, dims, data: Float64Array.from(isFloat(type) ? floatsOf(tensor) : (data as WholeArray), Number) };
  const values = data as ArrayLike<number | bigint>;
  if (to === 'bool') return { type: to, dims, data: Uint8Array.from(values, (value) => (Number(value) === 0 ? 0 : 1)) };
  const big = to === 'int64' || to === 'uint64';
  const out = new elements[to].array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number | bigint;
    out[i] = big ? BigInt(value) : Number(value);
    if (BigInt(out[i] as number) !== BigInt(value)) throw outOfRange(value, to);
  }
  return { type: to, dims, data: out } as HostTensor;
}

/** Values read from a file, by the type its format gives them. */
export function hostTensor(type: ElementType, dims: readonly number[], bytes: Uint8Array<ArrayBuffer>): HostTensor {
  return { type, dims, data: new elements[type].array(bytes.buffer) };
}
