import { halfToFloat } from '../../tensor/half.js';
import { TensorProto_DataType as T, type TensorProto, TensorProto_DataLocation } from '../onnx_pb.js';
import type { OnnxDocument } from './document.js';

/** Operators that leave a single number as it is. */
const passing = new Set(['Cast', 'Identity', 'Reshape', 'Unsqueeze', 'Squeeze', 'CastLike']);

/** The number that a value always is: an initializer or a constant of one element, or a little arithmetic on some. Null when it is none. */
export function scalarOf(document: OnnxDocument, name: string, depth = 0): number | null {
  if (depth > 6 || name === '') return null;
  const stored = document.graph.initializer.find((tensor) => tensor.name === name);
  if (stored) return numberOf(stored);
  const node = document.producer(name);
  if (!node) return null;
  if (node.opType === 'Constant') {
    const [attribute] = node.attribute;
    if (attribute?.t) return numberOf(attribute.t);
    if (attribute?.name === 'value_float') return attribute.f;
    return attribute?.name === 'value_int' ? Number(attribute.i) : null;
  }
  const of = (place: number) => scalarOf(document, node.input[place] ?? '', depth + 1);
  if (passing.has(node.opType)) return of(0);
  const [a, b] = [of(0), of(1)];
  if (node.opType === 'Sqrt') return a === null ? null : Math.sqrt(a);
  if (a === null || b === null) return null;
  return node.opType === 'Mul' ? a * b : node.opType === 'Div' ? a / b : null;
}

function numberOf({
  dims,
  dataType,
  dataLocation,
  rawData,
  floatData,
  doubleData,
  int64Data,
  int32Data,
}: TensorProto): number | null {
  if (dims.some((size) => size !== 1n) || dataLocation === TensorProto_DataLocation.EXTERNAL) return null;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const raw = view.byteLength > 0;
  switch (dataType) {
    case T.FLOAT:
      return raw ? view.getFloat32(0, true) : (floatData[0] ?? null);
    case T.DOUBLE:
      return raw ? view.getFloat64(0, true) : (doubleData[0] ?? null);
    case T.INT64:
      return raw ? Number(view.getBigInt64(0, true)) : int64Data[0] === undefined ? null : Number(int64Data[0]);
    case T.INT32:
      return raw ? view.getInt32(0, true) : (int32Data[0] ?? null);
    case T.FLOAT16:
      return halfToFloat()[raw ? view.getUint16(0, true) : (int32Data[0] ?? 0)] ?? null;
    default:
      return null;
  }
}
