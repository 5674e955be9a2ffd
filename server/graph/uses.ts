import { captures, type Graph, isGraph, type Node } from './ir.js';

/**
 * What a graph does with a weight: gathers rows; multiplies by it as x Wᵀ (a `product`) or as x W (`turned`); multiplies by it to say the logits;
 * or anything else, such as deciding which experts a token gets, which rounding must not change.
 */
export type Use = 'rows' | 'product' | 'turned' | 'logits' | 'other';

/** Uses of every tensor of the checkpoint that a graph reads: they decide in which form it may be stored. */
export function weightUses(graph: Graph): ReadonlyMap<string, ReadonlySet<Use>> {
  const uses = new Map<string, Set<Use>>();
  const add = (value: string, use: Use) => {
    const weight = graph.weights.get(value);
    if (weight) uses.set(weight.tensor, (uses.get(weight.tensor) ?? new Set()).add(use));
  };
  const leadsTo = follow(graph);
  for (const node of graph.nodes) {
    const { op, inputs, attributes } = node;
    for (const [i, value] of inputs.entries()) {
      if (!value || !graph.weights.has(value.name)) continue;
      if (op === 'Gather' && i === 0 && attributes.axis === 0) add(value.name, 'rows');
      else if (op !== 'MatMul' || i !== 1 || value.shape.length !== 2) add(value.name, 'other');
      else {
        const ends = leadsTo(node);
        if (ends.has('TopK')) add(value.name, 'other');
        else add(value.name, attributes.transB ? 'product' : 'turned');
        if (ends.has('logits')) add(value.name, 'logits');
      }
    }
    for (const body of Object.values(attributes)) if (isGraph(body)) for (const name of captures(body)) add(name, 'other');
  }
  for (const { name } of graph.outputs.values()) add(name, 'other');
  return uses;
}

/** Operators that keep every number where it is. */
const ELEMENTWISE = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Tanh',
  'Sigmoid',
  'Softmax',
  'Cast',
  'Reshape',
  'Where',
  'Identity',
  'Softplus',
]);

/** The choice or the logits that the result of a node becomes by nothing but operations on each number. */
function follow(graph: Graph): (node: Node) => ReadonlySet<'TopK' | 'logits'> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const value of node.inputs) if (value) readers.set(value.name, [...(readers.get(value.name) ?? []), node]);
  const logits = graph.outputs.get('logits')?.name;
  return (start) => {
    const found = new Set<'TopK' | 'logits'>();
    const seen = new Set<Node>();
    const visit = (node: Node) => {
      if (seen.has(node)) return;
      seen.add(node);
      for (const { name } of node.outputs) {
        if (name === logits) found.add('logits');
        for (const reader of readers.get(name) ?? []) {
          if (reader.op === 'TopK') found.add('TopK');
          else if (ELEMENTWISE.has(reader.op)) visit(reader);
        }
      }
    };
    visit(start);
    return found;
  };
}
