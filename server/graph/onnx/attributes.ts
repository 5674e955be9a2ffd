import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  type AttributeProto,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from '../onnx_pb.js';

/** A node's integer attribute, with its default. */
export const intOf = (node: NodeProto, name: string, fallback: number): number => {
  const found = node.attribute.find((attribute) => attribute.name === name);
  return found ? Number(found.i) : fallback;
};

export const floatOf = (node: NodeProto, name: string, fallback: number): number =>
  node.attribute.find((a) => a.name === name)?.f ?? fallback;

export const ints = (name: string, values: readonly number[]) =>
  create(AttributeProtoSchema, { name, type: A.INTS, ints: values.map(BigInt) });
export const int = (name: string, value: number) => create(AttributeProtoSchema, { name, type: A.INT, i: BigInt(value) });

export const nodeOf = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly AttributeProto[] = [],
  domain = '',
): NodeProto => create(NodeProtoSchema, { opType, domain, input: [...input], output: [...output], attribute: [...attribute] });

export function setInt(node: NodeProto, name: string, value: number): void {
  const known = node.attribute.find((attribute) => attribute.name === name);
  if (known) known.i = BigInt(value);
  else node.attribute.push(int(name, value));
}
