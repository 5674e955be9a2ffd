import { sizeOf } from '../../tensor/tensor.js';
import type { OperatorCost } from '../cost.js';
import { type Graph, isGraph, type Node, type Value } from '../ir.js';
import { knownShape, operatorFlops } from './flops.js';

/** A part of a graph from a file with the sizes of one call, and the types of its values. */
export interface SizedPart {
  readonly graph: Graph;
  readonly dtypes: ReadonlyMap<string, string>;
  /** What each input is: `state.k.past` … */
  readonly roles?: ReadonlyMap<string, string>;
}

/** Bytes of an element by its type as ONNX calls it, in small letters. */
const elementBytes = (dtype: string | undefined): number => {
  const bits = Number(/\d+/.exec(dtype ?? '')?.[0] ?? (dtype === 'bool' ? 8 : 32));
  return bits / 8;
};

/** Values that are no tensors count nothing. */
const bytesOf = ({ dtypes }: SizedPart, value: Value): number =>
  value.name === '' ? 0 : sizeOf(knownShape(value)) * elementBytes(dtypes.get(value.name));

/** Numbers that a stored tensor of blocks stands for: those of a product of few bits are packed. */
const weightsIn = ({ op, attributes }: Node, value: Value): number =>
  op === 'MatMulNBits' && value.shape.length === 3 ? Number(attributes.K) * Number(attributes.N) : sizeOf(knownShape(value));

/** How often a loop goes round: as often as a Scan's input has steps, or as the number says that a Loop is given. */
function rounds({ op, inputs, attributes }: Node, { graph: { constants } }: SizedPart): number {
  if (op === 'Scan') return knownShape(inputs.at(-Number(attributes.num_scan_inputs ?? 1)) as Value)[0] ?? 1;
  if (op !== 'Loop') return 1;
  const count = constants.get(inputs[0]?.name ?? '')?.data[0];
  if (count === undefined) throw new RangeError(`nothing says how often the loop that makes ${op} goes round`);
  return Number(count);
}

/** Every operator of a part, with what it computes, reads and hands on. A branch counts as the dearer of the two. Throws RangeError. */
export function eachFileOperator(
  part: SizedPart,
  weightBytes: (tensor: string) => number,
  visit: (cost: OperatorCost) => void,
): void {
  const read = new Set<string>();
  const states = new Set([...(part.roles ?? [])].flatMap(([name, role]) => (role.startsWith('state.') ? [name] : [])));
  const walk = (nodes: readonly Node[], times: number, see: (cost: OperatorCost) => void) => {
    for (const node of nodes) {
      see(costOfNode(node, times));
      const bodies = Object.values(node.attributes).filter(isGraph);
      if (node.op === 'If') dearest(bodies, times, see);
      else for (const body of bodies) walk(body.nodes, times * rounds(node, part), see);
    }
  };
  const dearest = (branches: readonly Graph[], times: number, see: (cost: OperatorCost) => void) => {
    const all = branches.map(({ nodes }) => {
      const costs: OperatorCost[] = [];
      walk(nodes, times, (cost) => costs.push(cost));
      return costs;
    });
    const total = (costs: readonly OperatorCost[]) => costs.reduce((sum, { flops }) => sum + flops, 0);
    for (const cost of all.sort((a, b) => total(b) - total(a))[0] ?? []) see(cost);
  };
  const costOfNode = (node: Node, times: number): OperatorCost => {
    const { flops, matmul } = operatorFlops(node);
    let [weights, bytes, state, inner] = [0, 0, 0, 0];
    let tensor: string | null = null;
    for (const [i, value] of node.inputs.entries()) {
      if (!value || part.graph.constants.has(value.name)) continue;
      const weight = part.graph.weights.get(value.name);
      if (!weight) {
        if (states.has(value.name)) state += times * bytesOf(part, value);
        else inner += times * bytesOf(part, value);
        continue;
      }
      const [count, stored] = [weightsIn(node, value), weightBytes(weight.tensor)];
      if (tensor === null || count > weights) tensor = weight.tensor;
      const rows = node.op === 'Gather' && i === 0 ? sizeOf(knownShape(node.outputs[0] as Value)) / count : 1;
      if (read.has(value.name)) continue;
      if (rows >= 1) read.add(value.name);
      weights += count * Math.min(1, rows);
      bytes += stored * Math.min(1, rows);
    }
    for (const value of node.outputs) inner += times * bytesOf(part, value);
    return { op: node.op, matmul, flops: times * flops, weights, weightBytes: bytes, tensor, state, inner, runs: times };
  };
  walk(part.graph.nodes, 1, visit);
}

/** Bytes that enter and leave a part: its state, and everything else. */
export function passedBytes(part: SizedPart): { readonly state: number; readonly other: number } {
  const { graph, roles } = part;
  const sum = (values: Iterable<readonly [role: string, value: Value]>, of: boolean) =>
    [...values].reduce((n, [role, value]) => (role.startsWith('state.') === of ? n + bytesOf(part, value) : n), 0);
  const inputs = graph.inputs.map((value) => [roles?.get(value.name) ?? '', value] as const);
  return {
    state: sum(inputs, true) + sum(graph.outputs, true),
    other: sum(inputs, false) + sum(graph.outputs, false),
  };
}
