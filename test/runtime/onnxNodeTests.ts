import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { dtypes } from '../../server/formats/dtypes.js';
import { onnxTypes } from '../../server/formats/onnxTensor.js';
import { unpackValues } from '../../server/formats/onnxValues.js';
import { TensorProtoSchema } from '../../server/graph/onnx_pb.js';
import { elementOf, floatsOf, type HostTensor, hostTensor } from '../../server/runtime/elements.js';

/** Folders with `model.onnx` below one of a kind of ONNX's backend tests. */
export const testsOf = (root: string, kinds: readonly string[]): string[] =>
  kinds.flatMap((kind) =>
    readdirSync(path.join(root, kind))
      .map((name) => path.join(root, kind, name))
      .filter((folder) => existsSync(path.join(folder, 'model.onnx'))),
  );

/** A tensor of the test's data; null for what is none, or holds what no session takes. Types that JavaScript lacks come as fp32. */
export function readPb(file: string): HostTensor | null {
  if (!existsSync(file)) return null;
  const message = readFileSync(file);
  const { dataType, dims, rawData } = fromBinary(TensorProtoSchema, message);
  const known = onnxTypes.get(dataType);
  if (!known || known.bits === 0) return null;
  const { dtype, bits } = known;
  const shape = dims.map(Number);
  const elements = shape.reduce((n, d) => n * d, 1);
  const bytes = Math.ceil((elements * bits) / 8);
  const raw = rawData.length > 0 || bytes === 0 ? new Uint8Array(rawData) : unpackValues(message, dtype, bytes);
  if (raw?.length !== bytes) return null; // a sequence, whose protobuf looks alike at first
  const type = elementOf(dtype);
  if (type) return hostTensor(type, shape, raw as Uint8Array<ArrayBuffer>);
  const kind = dtypes.get(dtype);
  if (!kind?.decode) return null;
  const values = new Float32Array(Math.ceil(elements / kind.elements) * kind.elements);
  kind.decode(raw, values);
  const data = values.slice(0, elements);
  if (/^[IU][24]$/.test(dtype)) return convertTo(dtype.startsWith('I') ? 'int8' : 'uint8', shape, data);
  return { type: 'float32', dims: shape, data };
}

const convertTo = (type: 'int8' | 'uint8', dims: readonly number[], values: Float32Array): HostTensor => ({
  type,
  dims,
  data: type === 'int8' ? Int8Array.from(values) : Uint8Array.from(values),
});

/** The same bits in the same shape. */
export function equalBits(a: Pick<HostTensor, 'dims' | 'data'>, b: Pick<HostTensor, 'dims' | 'data'>): boolean {
  const bytes = ({ data }: Pick<HostTensor, 'data'>) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return a.dims.join() === b.dims.join() && bytes(a).equals(bytes(b));
}

/** The same shape, and values that differ by a few units of half precision at most. */
export function equalHalves(a: HostTensor, b: HostTensor): boolean {
  const [x, y] = [floatsOf(a), floatsOf(b)];
  return (
    a.dims.join() === b.dims.join() &&
    x.every((value, i) => Object.is(value, y[i]) || Math.abs(value - (y[i] as number)) <= 2 ** -9 * (1 + Math.abs(value)))
  );
}
