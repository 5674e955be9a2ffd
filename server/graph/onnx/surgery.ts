import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type NodeProto, NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from '../onnx_pb.js';
import { readsOf } from './captures.js';
import { graphField, modelField, type OnnxDocument, type Slice } from './document.js';
import { invalidGraph, unknownValue } from './errors.js';
import { type Locate, relocated } from './relocate.js';

export type ValueInfo = MessageInitShape<typeof ValueInfoProtoSchema>;

/** What a graph is cut down to, and what is put into it. */
export interface Cut {
  /** Values to compute, under their own names. */
  readonly outputs: readonly string[];
  /** Values that are given instead of computed, with their types. */
  readonly given?: ReadonlyMap<string, ValueInfo>;
  /** Nodes that the graph does not have, in order: those whose values its own nodes read, and those that read its own. */
  readonly before?: readonly NodeProto[];
  readonly added?: readonly NodeProto[];
  /** Types of values that ONNX Runtime does not infer. */
  readonly typed?: readonly ValueInfo[];
  readonly constants?: readonly MessageInitShape<typeof TensorProtoSchema>[];
  /** Nodes in other form, by index: a loop that returns more than it did. */
  readonly changed?: ReadonlyMap<number, NodeProto>;
  /** Operator sets that the additions need and the model lacks. */
  readonly opsets?: readonly { readonly domain: string; readonly version: number }[];
}

/** The model as it is: byte for byte, but for places of external data when `locate` changes them. */
export const emitWhole = (document: OnnxDocument, locate?: Locate): Uint8Array =>
  write(
    document,
    document.graphSlices.map((slice) => (locate ? relocated(slice, locate) : slice.bytes)),
    [],
  );

/**
 * The model that computes `outputs` and nothing that they do not need. What stays keeps its bytes: attributes, functions, metadata, unknown
 * fields. Errors: PROBE_UNKNOWN, ONNX_INVALID.
 */
export function emitCut(document: OnnxDocument, cut: Cut, locate?: Locate): Uint8Array {
  const need = needed(document, cut);
  const counts = new Map<number, number>();
  const kept = document.graphSlices.flatMap((slice): Uint8Array[] => {
    const index = counts.get(slice.field) ?? 0;
    counts.set(slice.field, index + 1);
    if (!stays(document, slice.field, index, need)) return [];
    const changed = slice.field === graphField.node ? cut.changed?.get(index) : undefined;
    const now = changed ? nodeSlice(changed) : slice;
    return [locate ? relocated(now, locate) : now.bytes];
  });
  const isNeeded = (node: NodeProto) => node.output.some((name) => need.values.has(name));
  const parts = [
    ...(cut.before ?? []).filter(isNeeded).map((node) => nodeSlice(node).bytes),
    ...kept,
    ...(cut.constants ?? []).map((t) =>
      message(graphField.initializer, toBinary(TensorProtoSchema, create(TensorProtoSchema, t))),
    ),
    ...(cut.added ?? []).filter(isNeeded).map((node) => nodeSlice(node).bytes),
    ...[...(cut.given ?? [])].filter(([name]) => need.values.has(name)).map(([, info]) => valueInfo(graphField.input, info)),
    ...(cut.typed ?? []).filter(({ name }) => need.values.has(name ?? '')).map((info) => valueInfo(graphField.valueInfo, info)),
    ...cut.outputs.map((name) => outputOf(document, name, cut)),
  ];
  return write(document, parts, cut.opsets ?? []);
}

/** The graph's own nodes that a cut keeps, by index. */
export const nodesOf = (document: OnnxDocument, cut: Cut): ReadonlySet<number> => needed(document, cut).nodes;

/** Inputs of the graph that `outputs` follow from. */
export const inputsOf = (document: OnnxDocument, cut: Cut): readonly string[] => {
  const { values } = needed(document, cut);
  return document.inputs.filter((name) => values.has(name));
};

interface Needed {
  /** Indices of the graph's own nodes. */
  readonly nodes: ReadonlySet<number>;
  readonly values: ReadonlySet<string>;
  /** Values that the graph itself does not make: given, or made by nodes put into it. */
  readonly foreign: ReadonlySet<string>;
}

/** Walks back from the outputs, and stops where a value is given. */
function needed(document: OnnxDocument, cut: Cut): Needed {
  const nodes = new Set<number>();
  const values = new Set<string>();
  const put = new Map(
    [...(cut.before ?? []), ...(cut.added ?? [])].flatMap((node) => node.output.map((name) => [name, node] as const)),
  );
  const more = new Map([...(cut.changed ?? [])].flatMap(([index, node]) => node.output.map((name) => [name, index] as const)));
  const known = new Set([...(cut.given?.keys() ?? []), ...(cut.constants ?? []).map(({ name }) => name ?? '')]);
  const open = [...cut.outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (values.has(name) || name === '') continue;
    values.add(name);
    if (known.has(name)) continue;
    const own = put.get(name);
    if (own) open.push(...readsOf(own));
    else {
      const origin = document.origins.get(name);
      const index = more.get(name) ?? (origin?.kind === 'node' ? origin.node : null);
      if (index === null && !origin)
        throw cut.outputs.includes(name) ? unknownValue(name) : invalidGraph(`Nothing makes the value ${name}.`);
      if (index === null || nodes.has(index)) continue;
      nodes.add(index);
      open.push(...readsOf(cut.changed?.get(index) ?? (document.graph.node[index] as NodeProto)));
    }
  }
  return { nodes, values, foreign: new Set([...known, ...put.keys()]) };
}

function stays({ graph }: OnnxDocument, field: number, index: number, { nodes, values, foreign }: Needed): boolean {
  const has = (name: string | undefined) => name !== undefined && values.has(name) && !foreign.has(name);
  switch (field) {
    case graphField.node:
      return nodes.has(index);
    case graphField.initializer:
      return has(graph.initializer[index]?.name);
    case graphField.sparse:
      return has(graph.sparseInitializer[index]?.values?.name);
    case graphField.input:
      return has(graph.input[index]?.name);
    case graphField.valueInfo:
      return has(graph.valueInfo[index]?.name);
    case graphField.output:
      return false;
    default:
      return true;
  }
}

/** With the type the model declares; without one ONNX Runtime infers it. */
function outputOf({ graph }: OnnxDocument, name: string, { typed = [] }: Cut): Uint8Array {
  const known = [...graph.output, ...graph.valueInfo, ...typed].find((info) => info.name === name);
  return valueInfo(graphField.output, known ?? { name });
}

const valueInfo = (field: number, info: ValueInfo) =>
  message(field, toBinary(ValueInfoProtoSchema, create(ValueInfoProtoSchema, info)));

const message = (field: number, content: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish();

function nodeSlice(node: NodeProto): Slice {
  const content = toBinary(NodeProtoSchema, node);
  return { field: graphField.node, bytes: message(graphField.node, content), content };
}

function write({ modelSlices }: OnnxDocument, graph: readonly Uint8Array[], opsets: NonNullable<Cut['opsets']>): Uint8Array {
  const size = graph.reduce((sum, part) => sum + part.length, 0);
  const head = new BinaryWriter().tag(modelField.graph, WireType.LengthDelimited).uint32(size).finish();
  const more = opsets.map(({ domain, version }) =>
    message(
      modelField.opset,
      new BinaryWriter().tag(1, WireType.LengthDelimited).string(domain).tag(2, WireType.Varint).int64(version).finish(),
    ),
  );
  const parts = [
    ...modelSlices.flatMap(({ field, bytes }) => (field === modelField.graph ? [head, ...graph] : [bytes])),
    ...more,
  ];
  return Buffer.concat(parts);
}
