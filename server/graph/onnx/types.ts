import type { Dim } from '../ir.js';
import { TensorProto_DataType as T, type TensorShapeProto, type TypeProto } from '../onnx_pb.js';

/** Element types by TensorProto.DataType, spelled as safetensors does. */
const names: ReadonlyMap<number, string> = new Map<number, string>([
  [T.FLOAT, 'F32'],
  [T.UINT8, 'U8'],
  [T.INT8, 'I8'],
  [T.UINT16, 'U16'],
  [T.INT16, 'I16'],
  [T.INT32, 'I32'],
  [T.INT64, 'I64'],
  [T.STRING, 'STRING'],
  [T.BOOL, 'BOOL'],
  [T.FLOAT16, 'F16'],
  [T.DOUBLE, 'F64'],
  [T.UINT32, 'U32'],
  [T.UINT64, 'U64'],
  [T.COMPLEX64, 'C64'],
  [T.COMPLEX128, 'C128'],
  [T.BFLOAT16, 'BF16'],
  [T.FLOAT8E4M3FN, 'F8_E4M3'],
  [T.FLOAT8E4M3FNUZ, 'F8_E4M3FNUZ'],
  [T.FLOAT8E5M2, 'F8_E5M2'],
  [T.FLOAT8E5M2FNUZ, 'F8_E5M2FNUZ'],
  [T.UINT4, 'U4'],
  [T.INT4, 'I4'],
  [T.FLOAT4E2M1, 'F4'],
  [T.FLOAT8E8M0, 'F8_E8M0'],
  [T.UINT2, 'U2'],
  [T.INT2, 'I2'],
]);

/** TensorProto.DataType by that spelling; 0 for one it does not have. */
export const elementType = (dtype: string): number => [...names].find(([, name]) => name === dtype)?.[0] ?? 0;

export const elementName = (type: number): string | null => names.get(type) ?? null;

/** A tensor, or what else a value can be; `shape` null where its rank is not declared. */
export interface ValueType {
  readonly kind: 'tensor' | 'sparse tensor' | 'sequence' | 'optional' | 'map' | 'opaque' | 'undeclared';
  readonly dtype: string | null;
  readonly shape: readonly Dim[] | null;
}

const undeclared: ValueType = { kind: 'undeclared', dtype: null, shape: null };

/** Type and sizes of a value; null where nobody knows. */
export type SizedValue = Pick<ValueType, 'dtype' | 'shape'>;

export function typeOf(type: TypeProto | undefined): ValueType {
  switch (type?.value.case) {
    case 'tensorType':
      return { kind: 'tensor', dtype: elementName(type.value.value.elemType), shape: dimsOf(type.value.value.shape) };
    case 'sparseTensorType':
      return { kind: 'sparse tensor', dtype: elementName(type.value.value.elemType), shape: dimsOf(type.value.value.shape) };
    case 'sequenceType':
      return { ...undeclared, kind: 'sequence' };
    case 'optionalType':
      return { ...undeclared, kind: 'optional' };
    case 'mapType':
      return { ...undeclared, kind: 'map' };
    case 'opaqueType':
      return { ...undeclared, kind: 'opaque' };
    default:
      return undeclared;
  }
}

/** A size without number or name may be anything: `?`. */
const dimsOf = (shape: TensorShapeProto | undefined): Dim[] | null =>
  shape?.dim.map(({ value }) =>
    value.case === 'dimValue' ? Number(value.value) : value.case === 'dimParam' && value.value !== '' ? value.value : '?',
  ) ?? null;
