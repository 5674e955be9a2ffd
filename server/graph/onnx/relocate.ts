import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type GraphProto, NodeProtoSchema, type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from '../onnx_pb.js';
import { bodiesOf } from './captures.js';
import { graphField, type Slice } from './document.js';

/** Where a session finds the file that the model calls `location`. */
export type Locate = (location: string) => string;

/** The bytes of a field of GraphProto with the places of external data changed; its own bytes when there is nothing to change. */
export function relocated({ field, bytes, content }: Slice, locate: Locate): Uint8Array {
  if (field !== graphField.initializer && field !== graphField.node) return bytes;
  // Decoding every node to look for a rare thing would cost more than looking for the bytes of the word.
  if (!Buffer.from(content.buffer, content.byteOffset, content.length).includes('location')) return bytes;
  if (field === graphField.initializer) {
    const tensor = fromBinary(TensorProtoSchema, content);
    return move(tensor, locate) ? wrap(field, toBinary(TensorProtoSchema, tensor)) : bytes;
  }
  const node = fromBinary(NodeProtoSchema, content);
  const moved = bodiesOf(node).filter(({ graph }) => moveAll(graph, locate)).length > 0;
  return moved ? wrap(field, toBinary(NodeProtoSchema, node)) : bytes;
}

function moveAll(graph: GraphProto, locate: Locate): boolean {
  let moved = false;
  for (const tensor of graph.initializer) moved = move(tensor, locate) || moved;
  for (const node of graph.node) for (const body of bodiesOf(node)) moved = moveAll(body.graph, locate) || moved;
  return moved;
}

function move(tensor: TensorProto, locate: Locate): boolean {
  if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return false;
  let moved = false;
  for (const entry of tensor.externalData) {
    if (entry.key !== 'location' || locate(entry.value) === entry.value) continue;
    entry.value = locate(entry.value);
    moved = true;
  }
  return moved;
}

const wrap = (field: number, content: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish();
