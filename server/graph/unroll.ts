import { exact } from './exact/tensor.js';
import { kernelOf } from './interpreter.js';
import { type Constant, type Dim, type Graph, isGraph, type Node, type Value } from './ir.js';

const sized = (dim: Dim): Dim => (dim === 'B' || dim === 'T' ? 1 : dim);

/**
 * The same graph for one token of one sequence without control flow: the body of a loop over tokens runs once, of two branches the one is taken
 * that sizes decide on, and a stretch of what was just joined is read where it comes from. What depends on more than sizes stays.
 */
export function unroll(graph: Graph): Graph {
  const unrolled = new Unrolling(graph.constants);
  for (const node of graph.nodes) unrolled.take(node);
  const outputs = new Map([...graph.outputs].map(([name, value]) => [name, unrolled.read(value)]));
  return { ...graph, nodes: unrolled.nodes, constants: unrolled.constants, outputs };
}

class Unrolling {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Constant>();
  /** Whole numbers and conditions that sizes alone decide. */
  readonly #ints = new Map<string, readonly number[]>();
  readonly #instead = new Map<string, Value>();
  readonly #joined = new Map<string, Node>();

  constructor(constants: ReadonlyMap<string, Constant>) {
    this.#define(constants);
  }

  read = (value: Value): Value => this.#instead.get(value.name) ?? value;

  take(original: Node): void {
    const node = { ...original, inputs: original.inputs.map((value) => value && this.read(value)) };
    this.#follow(node);
    const { op, attributes, inputs, outputs } = node;
    const taken = op === 'If' ? this.#ints.get(inputs[0]?.name ?? '') : undefined;
    if (taken) this.#inline((taken[0] !== 0 ? attributes.then_branch : attributes.else_branch) as Graph, outputs);
    else if (op === 'Scan' && sized(inputs.at(-1)?.shape[1] ?? 0) === 1) this.#once(node);
    else if (op === 'Identity') this.#instead.set((outputs[0] as Value).name, inputs[0] as Value);
    else if (op !== 'Slice' || !this.#stretch(node)) {
      if (op === 'Concat') this.#joined.set((outputs[0] as Value).name, node);
      this.nodes.push(this.#reread(node));
    }
  }

  /** The node, whose bodies read what is to be read instead as well. */
  #reread = (node: Node): Node => {
    const body = (graph: Graph): Graph => ({
      ...graph,
      nodes: graph.nodes.map(this.#reread),
      outputs: new Map([...graph.outputs].map(([name, value]) => [name, this.read(value)])),
    });
    const attributes = Object.entries(node.attributes).map(([name, value]) => [name, isGraph(value) ? body(value) : value]);
    return { ...node, inputs: node.inputs.map((value) => value && this.read(value)), attributes: Object.fromEntries(attributes) };
  };

  #define(constants: ReadonlyMap<string, Constant>): void {
    for (const [name, constant] of constants) {
      this.constants.set(name, constant);
      if (constant.value.dtype !== 'f32') this.#ints.set(name, Array.from(constant.data as ArrayLike<number | bigint>, Number));
    }
  }

  /** Computes what follows from sizes. */
  #follow(node: Node): void {
    const [out] = node.outputs as [Value];
    if (node.op === 'Shape') {
      const shape = (node.inputs[0] as Value).shape.map(sized);
      if (shape.every((size) => typeof size === 'number')) this.#ints.set(out.name, shape as number[]);
      return;
    }
    const given = node.inputs.map((value) => value && this.#ints.get(value.name));
    if (out.dtype === 'f32' || node.outputs.length > 1 || given.some((ints) => ints === undefined)) return;
    const shapes = node.inputs.map((value) => value?.shape.map(sized) as number[]);
    const [result] = kernelOf(node)(
      given.map((ints, i) => (ints ? exact(shapes[i] as number[], ints) : null)),
      node.attributes,
    );
    if (result) this.#ints.set(out.name, [...result.data]);
  }

  /** What a body computes, here, as these values. */
  #inline(body: Graph, values: readonly Value[]): void {
    this.#define(body.constants);
    for (const node of body.nodes) this.take(node);
    for (const [i, result] of [...body.outputs.values()].entries())
      this.#instead.set((values[i] as Value).name, this.read(result));
  }

  /** A loop over the tokens has one step: states as they are, of sequences the only row, [B,T,…] → [B,…] and back. */
  #once({ inputs, outputs, attributes }: Node): void {
    const body = attributes.body as Graph;
    const states = inputs.length - (attributes.num_scan_inputs as number);
    const axis = this.#axis((outputs[0] as Value).name);
    for (const [i, value] of body.inputs.entries()) {
      if (i < states) this.#instead.set(value.name, inputs[i] as Value);
      else this.nodes.push({ op: 'Squeeze', inputs: [inputs[i] as Value, axis], outputs: [value], attributes: {} });
    }
    const results = outputs.map(
      (value, i): Value => (i < states ? value : { ...value, name: `${value.name}.row`, shape: value.shape.toSpliced(1, 1) }),
    );
    this.#inline(body, results);
    for (const [i, value] of outputs.entries())
      if (i >= states)
        this.nodes.push({ op: 'Unsqueeze', inputs: [this.read(results[i] as Value), axis], outputs: [value], attributes: {} });
  }

  /** The axis of tokens, as operators are given it. */
  #axis(name: string): Value {
    const value = { name: `${name}.axis`, dtype: 'i64', shape: [1] } as const;
    this.constants.set(value.name, { value, data: BigInt64Array.of(1n) });
    return value;
  }

  /** Of x, or of parts that it was joined from, exactly one: true when it is read instead. */
  #stretch({ inputs, outputs }: Node): boolean {
    const [x, ...bounds] = inputs as [Value, ...Value[]];
    const [from, to, axes, steps = [1]] = bounds.map(({ name }) => this.#ints.get(name));
    if (from?.length !== 1 || !to || !axes || steps[0] !== 1) return false;
    const axis = axes[0] as number;
    const joined = this.#joined.get(x.name);
    const parts = joined?.attributes.axis === axis ? (joined.inputs as readonly Value[]) : [x];
    const sizes = parts.map(({ shape }) => Number(sized(shape[axis] as Dim)));
    const before = (count: number) => sizes.slice(0, count).reduce((sum, size) => sum + size, 0);
    const total = before(sizes.length);
    const clip = (at: number) => Math.min(Math.max(at < 0 ? at + total : at, 0), total);
    const [begin, end] = [clip(from[0] as number), clip(to[0] as number)];
    const part = parts.find((_, i) => before(i) === begin && before(i + 1) === end);
    if (part) this.#instead.set((outputs[0] as Value).name, part);
    return part !== undefined;
  }
}
