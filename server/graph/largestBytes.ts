import { create, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from './onnx_pb.js';

const { FLOAT, INT8 } = TensorProto_DataType;

/** A serialised model y [M,N] = x [M,K] · 127 in which x is rounded to bytes and both are multiplied as such. */
export function largestBytes({ M, K, N }: { readonly M: number; readonly K: number; readonly N: number }): Uint8Array {
  const matrix = (name: string, rows: number, columns: number) => {
    const dim = [rows, columns].map((size) => ({ value: { case: 'dimValue' as const, value: BigInt(size) } }));
    return { name, type: { value: { case: 'tensorType' as const, value: { elemType: FLOAT, shape: { dim } } } } };
  };
  const opsetImport = [
    { domain: '', version: 21n },
    { domain: 'com.microsoft', version: 1n },
  ];
  const initializer = [
    { name: 'w', dims: [BigInt(K), BigInt(N)], dataType: INT8, rawData: new Uint8Array(K * N).fill(127) },
    { name: 'scale', dims: [BigInt(N)], dataType: FLOAT, rawData: new Uint8Array(new Float32Array(N).fill(1).buffer) },
  ];
  const node = [{ opType: 'DynamicQuantizeMatMul', domain: 'com.microsoft', input: ['x', 'w', 'scale'], output: ['y'] }];
  const graph = { name: 'bytes', node, initializer, input: [matrix('x', M, K)], output: [matrix('y', M, N)] };
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 10n, opsetImport, graph }));
}
