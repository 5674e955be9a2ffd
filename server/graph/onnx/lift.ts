import { clone, create } from '@bufbuild/protobuf';
import { type GraphProto, type NodeProto, NodeProtoSchema, ValueInfoProtoSchema } from '../onnx_pb.js';
import { bodiesOf } from './captures.js';
import { unreachable } from './errors.js';

/** The way to a value inside the body of an operator: through which bodies, by the operator's first output and the attribute. */
export interface InnerValue {
  /** `OUTPUT/ATTRIBUTE/…/VALUE`, as tensors inside are named. */
  readonly name: string;
  readonly way: readonly { readonly node: string; readonly attribute: string }[];
  readonly value: string;
  /** Null when every step of a loop can give it out; else why not. */
  readonly blocked: string | null;
}

/** Operators whose body runs again and again and may return one more thing a step. */
const loops: ReadonlySet<string> = new Set(['Scan', 'Loop']);

/** Every value that nodes compute inside bodies, at any depth. */
export function innerValues(nodes: readonly NodeProto[]): InnerValue[] {
  const found: InnerValue[] = [];
  const walk = (inside: readonly NodeProto[], way: InnerValue['way'], blocked: string | null): void => {
    for (const node of inside)
      for (const { attribute, graph } of bodiesOf(node)) {
        const own =
          loops.has(node.opType) && isOnnx(node) ? null : `it is made inside ${attribute} of a ${node.opType}, which may not run`;
        const deeper = [...way, { node: nameOf(node), attribute }];
        const prefix = deeper.map((step) => `${step.node}/${step.attribute}/`).join('');
        for (const value of graph.node.flatMap(({ output }) => output))
          if (value !== '') found.push({ name: prefix + value, way: deeper, value, blocked: blocked ?? own });
        walk(graph.node, deeper, blocked ?? own);
      }
  };
  walk(nodes, [], null);
  return found;
}

const isOnnx = ({ domain }: NodeProto): boolean => domain === '' || domain === 'ai.onnx';
const nameOf = (node: NodeProto): string => node.output.find((name) => name !== '') ?? node.name;

/**
 * Has the loops around a value return it for every step, stacked along a new first axis: a scan output more. `nodes` are those of the graph
 * the way begins in; a changed node takes the place of its own in `changed`. Errors: PROBE_UNREACHABLE.
 */
export function lift(nodes: readonly NodeProto[], inner: InnerValue, changed: Map<number, NodeProto>): void {
  if (inner.blocked !== null) throw unreachable(inner.name, inner.blocked);
  const [first] = inner.way;
  const index = nodes.findIndex((node) => nameOf(node) === first?.node);
  const node = changed.get(index) ?? clone(NodeProtoSchema, nodes[index] as NodeProto);
  giveOut(node, inner, 0);
  changed.set(index, node);
}

/** Returns the name under which the loop now gives the value. */
function giveOut(node: NodeProto, { way, value }: InnerValue, depth: number): string {
  const { attribute } = way[depth] as InnerValue['way'][number];
  const body = node.attribute.find(({ name }) => name === attribute)?.g as GraphProto;
  const next = way[depth + 1];
  const inside = next
    ? giveOut(body.node.find((n) => nameOf(n) === next.node) as NodeProto, { way, value } as InnerValue, depth + 1)
    : value;
  const own =
    way
      .slice(depth)
      .map((step) => `${step.node}/${step.attribute}/`)
      .join('') + value;
  if (node.output.includes(own)) return own;
  // A body may not return one value twice.
  const twin = `${inside}/probe`;
  body.node.push(create(NodeProtoSchema, { opType: 'Identity', input: [inside], output: [twin] }));
  const declared = body.valueInfo.find(({ name }) => name === inside) ?? body.output.find(({ name }) => name === inside);
  body.output.push(create(ValueInfoProtoSchema, { name: twin, ...(declared?.type && !next && { type: declared.type }) }));
  while (node.output.length < body.output.length - 1 - conditions(node)) node.output.push('');
  node.output.push(own);
  for (const name of ['scan_output_axes', 'scan_output_directions']) node.attribute.find((a) => a.name === name)?.ints.push(0n);
  return own;
}

/** A Loop's body returns its condition, which the node does not. */
const conditions = ({ opType }: NodeProto): number => (opType === 'Loop' ? 1 : 0);
