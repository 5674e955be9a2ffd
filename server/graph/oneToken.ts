import { captures, type Dim, type Graph, isGraph, type Node, prune, type Value } from './ir.js';
import { unroll } from './unroll.js';

/** Operators that may give the same numbers in the same order. */
const RESHAPING = new Set(['Reshape', 'Unsqueeze', 'Squeeze', 'Transpose']);

/**
 * The same graph for one token of one sequence. What then only names axes anew (heads split off, axes of size 1 moved) is read where the numbers
 * come from: once in the shape that is asked for, or as it is.
 */
export function forOneToken(whole: Graph): Graph {
  const graph = unroll(whole);
  const constants = new Map(graph.constants);
  const kept = new Set([...graph.outputs.values()].map(({ name }) => name));
  for (const { attributes } of graph.nodes)
    for (const body of Object.values(attributes)) if (isGraph(body)) for (const name of captures(body)) kept.add(name);
  /** What to read instead of a value, and what a value was made of by reshaping alone. */
  const [instead, source] = [new Map<string, Value>(), new Map<string, Value>()];
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => (value && instead.get(value.name)) ?? value);
    const [out, x] = [node.outputs[0] as Value, inputs[0] as Value];
    const shape = out.shape.map(sized);
    if (!keepsOrder(node, x) || shape.filter((size) => typeof size === 'string').length > 1) {
      nodes.push({ ...node, inputs });
      continue;
    }
    const from = source.get(x.name) ?? x;
    if (shape.join() === from.shape.map(sized).join() && !kept.has(out.name)) {
      instead.set(out.name, from);
      continue;
    }
    const to = { name: `${out.name}.sizes`, dtype: 'i64', shape: [shape.length] } as const;
    constants.set(to.name, {
      value: to,
      data: BigInt64Array.from(shape, (size) => (typeof size === 'number' ? BigInt(size) : -1n)),
    });
    source.set(out.name, from);
    nodes.push({ ...node, op: 'Reshape', inputs: [from, to], attributes: {} });
  }
  return prune({ ...graph, nodes, constants }, [...graph.outputs.keys()]);
}

const sized = (dim: Dim): Dim => (dim === 'B' || dim === 'T' ? 1 : dim);

/** Axes of more than one element stay in their order. */
function keepsOrder({ op, attributes }: Node, x: Value): boolean {
  if (!RESHAPING.has(op)) return false;
  if (op !== 'Transpose') return true;
  const moved = (attributes.perm as readonly number[]).filter((axis) => sized(x.shape[axis] as Dim) !== 1);
  return moved.every((axis, i) => i === 0 || axis > (moved[i - 1] as number));
}
