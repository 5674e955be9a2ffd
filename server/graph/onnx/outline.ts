import {
  AttributeProto_AttributeType as A,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from '../onnx_pb.js';
import { bodiesOf } from './captures.js';
import type { OnnxDocument } from './document.js';
import { elementName, typeOf, type ValueType } from './types.js';

/** Elements of an attribute or a small constant that are spelled out. */
const SPELLED = 8;

export interface OutlineValue extends ValueType {
  readonly name: string;
  /** Fed, stored, or computed; `outer` in a body: made by the graph around it. */
  readonly source: 'input' | 'initializer' | 'computed' | 'outer';
  /** Index of the node that makes it; null when none of this graph does. */
  readonly from: number | null;
  /** Indices of the nodes that read it. */
  readonly to: readonly number[];
}

export interface OutlineNode {
  readonly name: string;
  readonly op: string;
  /** Empty for ONNX's own operators; a function of the model when `isFunction`. */
  readonly domain: string;
  readonly isFunction: boolean;
  /** Value names; empty for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** As text, bodies left out. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly bodies: readonly { readonly attribute: string; readonly graph: Outline }[];
  /** The modules the node belongs to, outermost first, where its exporter wrote them into its name or metadata. */
  readonly scope: readonly string[];
}

/** A graph as nodes and edges: an edge runs from a value's `from` to each of its `to`. */
export interface Outline {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly OutlineNode[];
  readonly values: ReadonlyMap<string, OutlineValue>;
}

/** The graph of a model with the shapes it declares, its bodies inside. Plain data: to draw, to list, to count. */
export function outlineOf({ graph, model }: OnnxDocument): Outline {
  const functions = new Set(model.functions.map(({ domain, name }) => `${domain}/${name}`));
  return describe(graph, functions);
}

/** Operators by how often they occur, bodies included, most frequent first; those of other domains by their full name. */
export function countOperators(outline: Outline): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  const count = ({ nodes }: Outline): void => {
    for (const { op, domain, bodies } of nodes) {
      const name = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      for (const body of bodies) count(body.graph);
    }
  };
  count(outline);
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

function describe(graph: GraphProto, functions: ReadonlySet<string>): Outline {
  const values = new Map<string, OutlineValue & { to: number[] }>();
  const declared = new Map([...graph.valueInfo, ...graph.output, ...graph.input].map((info) => [info.name, typeOf(info.type)]));
  const add = (name: string, source: OutlineValue['source'], from: number | null, type?: ValueType) => {
    const known = type ?? declared.get(name) ?? typeOf(undefined);
    const value = { name, source, from, to: [], ...known };
    values.set(name, value);
    return value;
  };
  for (const { name } of graph.input) add(name, 'input', null);
  for (const tensor of graph.initializer) add(tensor.name, 'initializer', null, storedType(tensor));
  for (const { values: stored, dims } of graph.sparseInitializer)
    if (stored) add(stored.name, 'initializer', null, { ...storedType(stored), kind: 'sparse tensor', shape: dims.map(Number) });
  for (const [index, node] of graph.node.entries()) for (const name of node.output) if (name !== '') add(name, 'computed', index);
  const nodes = graph.node.map((node) => describeNode(node, functions));
  for (const [index, node] of graph.node.entries())
    for (const name of new Set(node.input)) if (name !== '') (values.get(name) ?? add(name, 'outer', null)).to.push(index);
  return {
    name: graph.name,
    inputs: graph.input.map(({ name }) => name).filter((name) => values.get(name)?.source === 'input'),
    outputs: graph.output.map(({ name }) => name),
    nodes,
    values,
  };
}

function describeNode(node: NodeProto, functions: ReadonlySet<string>): OutlineNode {
  const { name, opType: op, domain, input, output } = node;
  return {
    name,
    op,
    domain,
    isFunction: functions.has(`${domain}/${op}`),
    inputs: input,
    outputs: output,
    attributes: Object.fromEntries(
      node.attribute.flatMap((attribute) => attributeText(attribute).map((text) => [attribute.name, text])),
    ),
    bodies: bodiesOf(node).map(({ attribute, graph }) => ({ attribute, graph: describe(graph, functions) })),
    scope: scopeOf(node),
  };
}

/** torch.onnx writes `/model/layers.0/self_attn/MatMul` as a name, or the list of scopes as metadata. */
function scopeOf({ name, metadataProps }: NodeProto): string[] {
  const scopes = metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value;
  const listed = scopes?.match(/'([^']*)'/g)?.map((quoted) => quoted.slice(1, -1));
  if (listed) return (listed.at(-2) ?? '').split('.').filter((part) => part !== '');
  return name.startsWith('/') ? name.split('/').slice(1, -1) : [];
}

const storedType = ({ dataType, dims }: TensorProto): ValueType => ({
  kind: 'tensor',
  dtype: elementName(dataType),
  shape: dims.map(Number),
});

/** The value of an attribute; none for a graph, which is a body. */
function attributeText({ type, f, i, s, t, floats, ints, strings, refAttrName }: AttributeProto): string[] {
  if (refAttrName !== '') return [`of the function: ${refAttrName}`];
  switch (type) {
    case A.FLOAT:
      return [spelled(f)];
    case A.INT:
      return [String(i)];
    case A.STRING:
      return [textOf(s)];
    case A.FLOATS:
      return [list(floats.map(spelled))];
    case A.INTS:
      return [list(ints.map(String))];
    case A.STRINGS:
      return [list(strings.map(textOf))];
    case A.TENSOR:
      return t ? [`${elementName(t.dataType) ?? 'tensor'} [${t.dims.join(', ')}]`] : [];
    case A.GRAPH:
    case A.GRAPHS:
      return [];
    default:
      return ['…'];
  }
}

const spelled = (value: number): string => String(Number(value.toPrecision(7)));
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const list = (items: readonly string[]): string =>
  items.length > SPELLED ? `${items.slice(0, SPELLED).join(', ')} … (${items.length})` : items.join(', ');
