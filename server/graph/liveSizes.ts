import type { Graph, Value } from './ir.js';
import { type Call, type Known, walk } from './sizes.js';

/**
 * The sizes of every value of a graph in one call, by name and without the batch. A size that is expected and not whole (how many tokens an expert
 * gets) says so. What a branch that is not taken would make has none, nor has what comes behind a size that only numbers can tell.
 */
export function liveSizes(graph: Graph, call: Call): ReadonlyMap<string, readonly (number | string)[]> {
  const sizes = new Map<string, readonly (number | string)[]>();
  const add = (value: Value | null, known: Known | null | undefined) => {
    if (!value || !known) return;
    const shape = known.shape.map((size) => (Number.isInteger(size) ? size : `≈${Number(size.toPrecision(2))}`));
    sizes.set(value.name, value.shape[0] === 'B' ? shape.slice(1) : shape);
  };
  try {
    const all = walk(graph, call, ({ inputs, outputs }, read, made) => {
      for (const [i, value] of inputs.entries()) add(value, read[i]);
      for (const [i, value] of outputs.entries()) add(value, made[i]);
    });
    for (const value of graph.inputs) add(value, all.get(value.name));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return sizes;
}
