import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  type AttributeProto,
  AttributeProtoSchema,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type ValueInfoProto,
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

export const float = (name: string, value: number) => create(AttributeProtoSchema, { name, type: A.FLOAT, f: value });

/** A graph as the attribute `body`. */
export const body = (
  name: string,
  inputs: readonly ValueInfoProto[],
  nodes: readonly NodeProto[],
  outputs: readonly ValueInfoProto[],
): AttributeProto =>
  create(AttributeProtoSchema, {
    name: 'body',
    type: A.GRAPH,
    g: create(GraphProtoSchema, { name, input: [...inputs], node: [...nodes], output: [...outputs] }),
  });

const decoder = new TextDecoder();

export const textOf = (node: NodeProto, name: string, fallback: string): string => {
  const found = node.attribute.find((attribute) => attribute.name === name);
  return found ? decoder.decode(found.s) : fallback;
};

export const textsOf = (node: NodeProto, name: string): string[] =>
  (node.attribute.find((attribute) => attribute.name === name)?.strings ?? []).map((text) => decoder.decode(text));
