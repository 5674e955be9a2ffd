import { sizeOf } from './exact/tensor.js';
import type { DType, Graph, Node, Part } from './ir.js';
import { operators } from './operators.js';
import { type Call, type Known, walk } from './sizes.js';

/** What one call of a segment costs, counted operator by operator. Bytes are those of the run: every number in `weightBytes` or its dtype. */
export interface Cost {
  /** Multiplications and additions of matrix products: 2·m·k·n each. */
  readonly matmulFlops: number;
  /** Of everything else, by the counts in operators.ts. */
  readonly otherFlops: number;
  /** Elements of the weights that are read, each once; of an embedding only its rows, of experts only those that tokens reach. */
  readonly weights: number;
  /** Bytes of state that are read: cached rows, recurrent state. */
  readonly stateRead: number;
  readonly stateWritten: number;
  /** Bytes that enter and leave the segment beside its state: the residual stream, carries, tokens, logits. */
  readonly passed: number;
  /** Bytes that operators hand to each other, written once and read by each. */
  readonly inner: number;
  /** Operators that run, loops step by step. */
  readonly operators: number;
}

const BYTES: Readonly<Record<DType, number>> = { f32: 4, i64: 8, bool: 1 };

/**
 * Counts a segment for one call by walking its graph with the call's sizes; nothing is known of families. Experts are taken to be chosen
 * evenly. Throws RangeError where a size depends on the numbers.
 */
export function costOf(graph: Graph, call: Call): Cost {
  const counter = new Counter(graph);
  const known = walk(graph, call, counter.visit);
  const bytes = (name: string, dtype: DType) => sizeOf((known.get(name) as Known).shape) * BYTES[dtype];
  const sum = (values: Iterable<{ readonly name: string; readonly dtype: DType }>) =>
    [...values].reduce((total, { name, dtype }) => total + bytes(name, dtype), 0);
  const outputs = [...graph.outputs];
  const isState = (name: string) => /\.state\.\w+\.(past|new)$/.test(name);
  return {
    ...counter.result,
    stateRead: sum(graph.inputs.filter(({ name }) => isState(name))),
    stateWritten: sum(outputs.flatMap(([name, value]) => (isState(name) ? [value] : []))),
    passed:
      sum(graph.inputs.filter(({ name }) => !isState(name))) +
      sum(outputs.flatMap(([name, value]) => (isState(name) ? [] : [value]))),
  };
}

export const noCost: Cost = {
  matmulFlops: 0,
  otherFlops: 0,
  weights: 0,
  stateRead: 0,
  stateWritten: 0,
  passed: 0,
  inner: 0,
  operators: 0,
};

export const addCosts = (costs: readonly Cost[]): Cost =>
  costs.reduce(
    (sum, cost) =>
      Object.fromEntries(Object.entries(sum).map(([key, value]) => [key, value + cost[key as keyof Cost]])) as unknown as Cost,
    noCost,
  );

class Counter {
  #matmul = 0;
  #other = 0;
  #inner = 0;
  #operators = 0;
  /** Of the part that is being counted: the chance that a token reaches it. */
  #reached = 1;
  readonly #weights = new Map<string, number>();

  constructor(private readonly graph: Graph) {}

  get result() {
    const weights = [...this.#weights.values()].reduce((a, b) => a + b, 0);
    return { matmulFlops: this.#matmul, otherFlops: this.#other, inner: this.#inner, operators: this.#operators, weights };
  }

  visit = (node: Node, inputs: readonly (Known | null)[], outputs: readonly Known[], times: number): void => {
    const { op, part } = node;
    const result = sizeOf(outputs[0]?.shape ?? []);
    if (part && op === 'NonZero') this.#reached = reached(part, outputs[0]?.shape[1] as number);
    const share = part ? this.#reached : 1;
    if (op === 'MatMul') this.#matmul += times * 2 * result * (inputs[0]?.shape.at(-1) as number);
    else this.#other += times * flopsOf(op, sizeOf(inputs[0]?.shape ?? []), result);
    this.#operators += times * share;
    for (const [i, value] of node.inputs.entries()) {
      if (!value) continue;
      const size = sizeOf((inputs[i] as Known).shape);
      if (!this.graph.weights.has(value.name)) this.#inner += times * size * BYTES[value.dtype];
      else this.#read(value.name, op === 'Gather' && i === 0 ? result : size * share);
    }
    for (const [i, value] of node.outputs.entries())
      this.#inner += times * sizeOf((outputs[i] as Known).shape) * BYTES[value.dtype];
  };

  /** A weight is read once, by whichever operator reads the most of it. */
  #read(name: string, elements: number): void {
    this.#weights.set(name, Math.max(this.#weights.get(name) ?? 0, elements));
  }
}

function flopsOf(op: string, input: number, output: number): number {
  const { flops, per = 'output' } = operators[op] ?? { flops: 0 };
  return flops * (per === 'input' ? input : output);
}

/** The chance that any token reaches a part in which `rows` of them are expected. */
const reached = ({ chosen, count }: Part, rows: number): number => 1 - (1 - chosen / count) ** ((rows * count) / chosen);
