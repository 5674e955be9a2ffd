import { sizeOf } from './exact/tensor.js';
import type { DType, Graph, Part, Value } from './ir.js';
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
  readonly weightBytes: number;
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

/** What one operator of a call costs, all its steps together. */
export interface OperatorCost {
  readonly op: string;
  readonly flops: number;
  readonly matmul: boolean;
  /** Elements of weights that no operator before it has read, and their bytes. */
  readonly weights: number;
  readonly weightBytes: number;
  /** The tensor it multiplies by or gathers from; null for one that reads none. */
  readonly tensor: string | null;
  /** Bytes of the segment's state that it reads. */
  readonly state: number;
  /** Bytes that it reads of other operators and gives to them. */
  readonly inner: number;
  /** How often it is started. */
  readonly runs: number;
}

const isState = (name: string): boolean => /\.state\.\w+\.(past|new)$/.test(name);

/**
 * Counts a segment for one call by walking its graph with the call's sizes; nothing is known of families. Experts are taken to be chosen
 * evenly. `perElement`: bytes of a tensor's elements as they are run. Throws RangeError where a size depends on the numbers.
 */
export function costOf(graph: Graph, call: Call, perElement?: (tensor: string) => number): Cost {
  const total = { matmulFlops: 0, otherFlops: 0, inner: 0, operators: 0, weights: 0, weightBytes: 0 };
  const count = ({ matmul, flops, weights, weightBytes, state, inner, runs }: OperatorCost) => {
    total[matmul ? 'matmulFlops' : 'otherFlops'] += flops;
    total.weights += weights;
    total.weightBytes += weightBytes;
    total.inner += inner + state;
    total.operators += runs;
  };
  const known = eachOperator(graph, call, count, perElement);
  const sum = (values: Iterable<Value>) =>
    [...values].reduce((n, { name, dtype }) => n + sizeOf((known.get(name) as Known).shape) * BYTES[dtype], 0);
  const outputs = [...graph.outputs];
  return {
    ...total,
    stateRead: sum(graph.inputs.filter(({ name }) => isState(name))),
    stateWritten: sum(outputs.flatMap(([name, value]) => (isState(name) ? [value] : []))),
    passed:
      sum(graph.inputs.filter(({ name }) => !isState(name))) +
      sum(outputs.flatMap(([name, value]) => (isState(name) ? [] : [value]))),
  };
}

/** Every operator that a call runs, in order. Returns what became known of the values. */
export function eachOperator(
  graph: Graph,
  call: Call,
  visit: (cost: OperatorCost) => void,
  perElement: (tensor: string) => number = () => BYTES.f32,
): ReadonlyMap<string, Known> {
  const read = new Map<string, number>();
  let share = 1;
  return walk(graph, call, (node, inputs, outputs, times) => {
    const { op, part } = node;
    const result = sizeOf(outputs[0]?.shape ?? []);
    if (part && op === 'NonZero') share = reached(part, outputs[0]?.shape[1] as number);
    const matmul = op === 'MatMul';
    let [weights, weightBytes, state, inner] = [0, 0, 0, 0];
    let tensor: string | null = null;
    for (const [i, value] of node.inputs.entries()) {
      if (!value) continue;
      const size = sizeOf((inputs[i] as Known).shape);
      const weight = graph.weights.get(value.name);
      if (!weight) {
        if (isState(value.name)) state += times * size * BYTES[value.dtype];
        else inner += times * size * BYTES[value.dtype];
        continue;
      }
      tensor ??= weight.tensor;
      // a weight is read once, however many operators use it; of an embedding only its rows
      const used = op === 'Gather' && i === 0 ? result : size * (part ? share : 1);
      const more = Math.max(0, used - (read.get(value.name) ?? 0));
      weights += more;
      weightBytes += more * perElement(weight.tensor);
      read.set(value.name, Math.max(read.get(value.name) ?? 0, used));
    }
    for (const [i, value] of node.outputs.entries()) inner += times * sizeOf((outputs[i] as Known).shape) * BYTES[value.dtype];
    const each = matmul ? 2 * result * (inputs[0]?.shape.at(-1) as number) : flopsOf(op, sizeOf(inputs[0]?.shape ?? []), result);
    const runs = times * (part ? share : 1);
    visit({ op, matmul, flops: times * each, weights, weightBytes, tensor, state, inner, runs });
  });
}

export const noCost: Cost = {
  matmulFlops: 0,
  otherFlops: 0,
  weights: 0,
  weightBytes: 0,
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

function flopsOf(op: string, input: number, output: number): number {
  const { flops, per = 'output' } = operators[op] ?? { flops: 0 };
  return flops * (per === 'input' ? input : output);
}

/** The chance that any token reaches a part in which `rows` of them are expected. */
const reached = ({ chosen, count }: Part, rows: number): number => 1 - (1 - chosen / count) ** ((rows * count) / chosen);
