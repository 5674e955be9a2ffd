import { AttributeProto_AttributeType, type GraphProto, type NodeProto } from '../onnx_pb.js';

/** Graphs in the attributes of a node: bodies of loops, branches. */
export const bodiesOf = (node: NodeProto): readonly { readonly attribute: string; readonly graph: GraphProto }[] =>
  node.attribute.flatMap(({ name, type, g, graphs }) => [
    ...(g && (type === AttributeProto_AttributeType.GRAPH || type === AttributeProto_AttributeType.UNDEFINED)
      ? [{ attribute: name, graph: g }]
      : []),
    ...graphs.map((graph, i) => ({ attribute: `${name}.${i}`, graph })),
  ]);

/** Names that a node reads: its inputs, and what its bodies take from around them. */
export const readsOf = (node: NodeProto): readonly string[] => [
  ...node.input.filter((name) => name !== ''),
  ...bodiesOf(node).flatMap(({ graph }) => capturesOf(graph)),
];

/** Names that a body uses but does not define. */
export function capturesOf(body: GraphProto): string[] {
  const own = new Set([
    ...body.input.map(({ name }) => name),
    ...body.initializer.map(({ name }) => name),
    ...body.sparseInitializer.map((s) => s.values?.name ?? ''),
    ...body.node.flatMap((node) => node.output),
  ]);
  const used = [...body.node.flatMap(readsOf), ...body.output.map(({ name }) => name)];
  return [...new Set(used)].filter((name) => !own.has(name));
}
