import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type NodeProto, NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from '../onnx_pb.js';
import { readsOf } from './captures.js';
import { graphField, modelField, type OnnxDocument, type Slice } from './document.js';
import { invalidGraph, unknownValue } from './errors.js';
import { type Locate, relocated } from './relocate.js';

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

/** What a graph is cut down to, and what is put into it. */
export interface Cut {
  /** Values to compute, under their own names. */
  readonly outputs: readonly string[];
  /** Values that are given instead of computed, with their types. */
  readonly given?: ReadonlyMap<string, ValueInfoInit>;
  /** Nodes behind those of the graph, e.g. of a probe that the graph does not have; in order. */
  readonly added?: readonly NodeInit[];
  readonly constants?: readonly TensorInit[];
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
  const { nodes, values } = needed(document, cut);
  const counts = new Map<number, number>();
  const kept = document.graphSlices.flatMap((slice): Uint8Array[] => {
    const index = counts.get(slice.field) ?? 0;
    counts.set(slice.field, index + 1);
    if (!stays(document, slice, index, nodes, values, cut)) return [];
    const changed = slice.field === graphField.node ? cut.changed?.get(index) : undefined;
    const now = changed ? message(slice.field, toBinary(NodeProtoSchema, changed)) : slice.bytes;
    return [
      locate ? relocated({ ...slice, bytes: now, ...(changed && { content: toBinary(NodeProtoSchema, changed) }) }, locate) : now,
    ];
  });
  const parts = [
    ...kept,
    ...(cut.constants ?? []).map((tensor) =>
      message(graphField.initializer, toBinary(TensorProtoSchema, create(TensorProtoSchema, tensor))),
    ),
    ...(cut.added ?? []).map((node) => message(graphField.node, toBinary(NodeProtoSchema, create(NodeProtoSchema, node)))),
    ...[...(cut.given ?? [])].filter(([name]) => values.has(name)).map(([, info]) => valueInfo(graphField.input, info)),
    ...cut.outputs.map((name) => outputOf(document, name)),
  ];
  return write(document, parts, cut.opsets ?? []);
}

interface Needed {
  readonly nodes: ReadonlySet<number>;
  readonly values: ReadonlySet<string>;
}

/** Walks back from the outputs, and stops where a value is given. */
function needed({ origins, graph }: OnnxDocument, { outputs, given, added = [], constants = [], changed }: Cut): Needed {
  const nodes = new Set<number>();
  const values = new Set<string>();
  const own = new Map(added.flatMap((node) => (node.output ?? []).map((name) => [name, node] as const)));
  const fixed = new Set(constants.map(({ name }) => name));
  const open = [...outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (values.has(name) || name === '') continue;
    values.add(name);
    if (given?.has(name) || fixed.has(name)) continue;
    const extra = own.get(name);
    if (extra) {
      open.push(...readsOf(create(NodeProtoSchema, extra)));
      continue;
    }
    const origin =
      origins.get(name) ??
      [...(changed ?? [])].flatMap(([node, to]) => (to.output.includes(name) ? [{ kind: 'node', node } as const] : []))[0];
    if (!origin) throw outputs.includes(name) ? unknownValue(name) : invalidGraph(`Nothing makes the value ${name}.`);
    if (origin.kind !== 'node' || nodes.has(origin.node)) continue;
    nodes.add(origin.node);
    open.push(...readsOf(changed?.get(origin.node) ?? (graph.node[origin.node] as NodeProto)));
  }
  return { nodes, values };
}

function stays(
  { graph }: OnnxDocument,
  { field }: Slice,
  index: number,
  nodes: Needed['nodes'],
  values: Needed['values'],
  { given }: Cut,
): boolean {
  const has = (name: string | undefined) => name !== undefined && values.has(name) && !given?.has(name);
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
function outputOf({ graph }: OnnxDocument, name: string): Uint8Array {
  const known = [...graph.output, ...graph.valueInfo].find((info) => info.name === name);
  return valueInfo(graphField.output, known ?? { name });
}

const valueInfo = (field: number, info: ValueInfoInit) =>
  message(field, toBinary(ValueInfoProtoSchema, create(ValueInfoProtoSchema, info)));

const message = (field: number, content: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish();

function write({ modelSlices }: OnnxDocument, graph: readonly Uint8Array[], opsets: NonNullable<Cut['opsets']>): Uint8Array {
  const size = graph.reduce((sum, part) => sum + part.length, 0);
  const head = new BinaryWriter().tag(modelField.graph, WireType.LengthDelimited).uint32(size).finish();
  const more = opsets.map(({ domain, version }) =>
    message(
      8,
      new BinaryWriter().tag(1, WireType.LengthDelimited).string(domain).tag(2, WireType.Varint).int64(version).finish(),
    ),
  );
  const parts = [
    ...modelSlices.flatMap(({ field, bytes }) => (field === modelField.graph ? [head, ...graph] : [bytes])),
    ...more,
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
