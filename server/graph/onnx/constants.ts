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

const numberOf = (tensor: TensorProto): number | null =>
  tensor.dims.every((size) => size === 1n) ? (numbersOf(tensor, 1)?.[0] ?? null) : null;

/** The numbers of a small tensor that lies in the graph; null for a larger one, for one in a file, and for what is no number. */
export function numbersOf(tensor: TensorProto, most: number): readonly number[] | null {
  const { dims, dataType, dataLocation, rawData, floatData, doubleData, int64Data, int32Data } = tensor;
  const count = dims.reduce((n, size) => n * Number(size), 1);
  if (count > most || dataLocation === TensorProto_DataLocation.EXTERNAL) return null;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const all = (size: number, raw: (at: number) => number, listed: readonly (number | bigint)[]): readonly number[] | null =>
    view.byteLength >= count * size && view.byteLength > 0
      ? Array.from({ length: count }, (_, i) => raw(i * size))
      : listed.length >= count
        ? listed.slice(0, count).map(Number)
        : null;
  switch (dataType) {
    case T.FLOAT:
      return all(4, (at) => view.getFloat32(at, true), floatData);
    case T.DOUBLE:
      return all(8, (at) => view.getFloat64(at, true), doubleData);
    case T.INT64:
      return all(8, (at) => Number(view.getBigInt64(at, true)), int64Data);
    case T.INT32:
      return all(4, (at) => view.getInt32(at, true), int32Data);
    case T.BOOL:
      return all(1, (at) => view.getUint8(at), int32Data);
    case T.FLOAT16: {
      const values = halfToFloat();
      const listed = int32Data.map((code) => values[code] ?? Number.NaN);
      return all(2, (at) => values[view.getUint16(at, true)] as number, listed);
    }
    default:
      return null;
  }
}
