import { type Graph, isGraph } from './ir.js';

/** What a graph does with a weight: gathers rows, multiplies by it as x Wᵀ or as x W, or anything else. */
export type Use = 'rows' | 'product' | 'turned' | 'other';

/** Uses of every tensor of the checkpoint that a graph reads: they decide in which form it may be stored. */
export function weightUses(graph: Graph): ReadonlyMap<string, ReadonlySet<Use>> {
  const uses = new Map<string, Set<Use>>();
  const add = (value: string, use: Use) => {
    const weight = graph.weights.get(value);
    if (weight) uses.set(weight.tensor, (uses.get(weight.tensor) ?? new Set()).add(use));
  };
  for (const { op, inputs, attributes } of graph.nodes) {
    for (const [i, value] of inputs.entries()) {
      if (!value) continue;
      if (op === 'Gather' && i === 0 && attributes.axis === 0) add(value.name, 'rows');
      else if (op === 'MatMul' && i === 1 && value.shape.length === 2) add(value.name, attributes.transB ? 'product' : 'turned');
      else add(value.name, 'other');
    }
    for (const body of Object.values(attributes)) if (isGraph(body)) for (const name of named(body)) add(name, 'other');
  }
  for (const { name } of graph.outputs.values()) add(name, 'other');
  return uses;
}

/** Every name a body reads. */
function named(body: Graph): string[] {
  const inner = body.nodes.flatMap(({ attributes }) => Object.values(attributes).filter(isGraph).flatMap(named));
  const read = body.nodes.flatMap(({ inputs }) => inputs.flatMap((value) => (value ? [value.name] : [])));
  return [...read, ...[...body.outputs.values()].map(({ name }) => name), ...inner];
}
