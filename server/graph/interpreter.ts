import { elementwise } from './exact/elementwise.js';
import { reductions } from './exact/reduce.js';
import { resize } from './exact/resize.js';
import { rotating } from './exact/rotate.js';
import { selecting } from './exact/select.js';
import { concat, shaping } from './exact/shape.js';
import { type Exact, exact, type Kernel, sizeOf } from './exact/tensor.js';
import type { Graph, Node, Value } from './ir.js';

const kernels: Readonly<Record<string, Kernel>> = {
  ...elementwise,
  ...shaping,
  ...selecting,
  ...reductions,
  ...rotating,
  Resize: resize,
};

/** Everything known while a graph runs; a body sees what surrounds it. */
class Scope {
  readonly #values = new Map<string, Exact>();
  readonly #sizes: Map<string, number>;

  constructor(private readonly outer: Scope | null = null) {
    // a size that only a body knows may be another one at every step
    this.#sizes = new Map(outer ? outer.#sizes : []);
  }

  get(name: string): Exact {
    const value = this.#values.get(name) ?? this.outer?.get(name);
    if (!value) throw new RangeError(`${name} has no value yet`);
    return value;
  }

  /** Also holds the graph to the shapes it promised: a number is that number, a name means one number everywhere. */
  set({ name, shape }: Value, value: Exact): void {
    const fits = shape.length === value.shape.length && shape.every((d, axis) => this.#size(d, value.shape[axis] as number));
    if (!fits || sizeOf(value.shape) !== value.data.length)
      throw new RangeError(`${name} is [${value.shape}] with ${value.data.length} values, declared as [${shape}]`);
    this.#values.set(name, value);
  }

  #size(declared: number | string, actual: number): boolean {
    if (typeof declared === 'number') return declared === actual;
    const known = this.#sizes.get(declared);
    if (known === undefined) this.#sizes.set(declared, actual);
    return (known ?? actual) === actual;
  }
}

/**
 * Runs a graph in double precision, one node after the other: the slow exact reference that ONNX Runtime is compared with.
 * `weight` gives a tensor of the checkpoint. Returns every output by its name. Throws RangeError on an unknown operator, a missing
 * value, or a shape that is not the declared one.
 */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, Exact>>,
  weight: (tensor: string) => Exact,
): Map<string, Exact> {
  const scope = new Scope();
  for (const value of graph.inputs) {
    const given = inputs[value.name];
    if (!given) throw new RangeError(`input ${value.name} was not given`);
    scope.set(value, given);
  }
  for (const { value, tensor, part } of graph.weights.values()) {
    const { shape, data } = weight(tensor);
    const size = sizeOf(value.shape as readonly number[]);
    scope.set(
      value,
      part === undefined ? { shape, data } : { shape: shape.slice(1), data: data.subarray(part * size, (part + 1) * size) },
    );
  }
  return execute(graph, scope);
}

function execute(graph: Graph, scope: Scope): Map<string, Exact> {
  for (const { value, data } of graph.constants.values()) scope.set(value, exact(value.shape as number[], data));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => value && scope.get(value.name));
    const control = controls[node.op];
    const results = control ? control(node, inputs as Exact[], scope) : kernelOf(node)(inputs, node.attributes);
    for (const [i, value] of node.outputs.entries()) scope.set(value, results[i] as Exact);
  }
  return new Map([...graph.outputs].map(([name, value]) => [name, scope.get(value.name)]));
}

/** Whole numbers may have a kernel of their own: they divide another way. */
export function kernelOf({ op, inputs }: Node): Kernel {
  const kernel = kernels[`${op} ${inputs[0]?.dtype}`] ?? kernels[op];
  if (!kernel) throw new RangeError(`operator ${op} is not known`);
  return kernel;
}

/** Operators that run a body. */
const controls: Readonly<Record<string, (node: Node, inputs: readonly Exact[], scope: Scope) => readonly Exact[]>> = {
  Scan: scan,
  If: ({ attributes }, [condition], scope) => {
    const branch = condition?.data[0] !== 0 ? attributes.then_branch : attributes.else_branch;
    return [...execute(branch as Graph, new Scope(scope)).values()];
  },
};

/** ONNX Scan over axis 1, all of it forwards or all of it backwards: states first, then sequences; body inputs and outputs in the same order. */
function scan(node: Node, inputs: readonly Exact[], scope: Scope): Exact[] {
  const body = node.attributes.body as Graph;
  const states = inputs.length - (node.attributes.num_scan_inputs as number);
  const sequences = inputs.slice(states);
  let state = inputs.slice(0, states);
  const steps: Exact[][] = [];
  const T = sequences[0]?.shape[1] ?? 0;
  const backwards = node.attributes.scan_input_directions !== undefined;
  for (let step = 0; step < T; step++) {
    const t = backwards ? T - 1 - step : step;
    const inner = new Scope(scope);
    const given = [...state, ...sequences.map((s) => rowOf(s, t))];
    for (const [i, value] of body.inputs.entries()) inner.set(value, given[i] as Exact);
    const results = [...execute(body, inner).values()];
    state = results.slice(0, states);
    const rows = results.slice(states).map(({ shape, data }) => ({ shape: shape.toSpliced(1, 0, 1), data }));
    if (backwards) steps.unshift(rows);
    else steps.push(rows);
  }
  return [
    ...state,
    ...(steps[0] ?? []).map((_, i) =>
      concat(
        steps.map((step) => step[i] as Exact),
        1,
      ),
    ),
  ];
}

/** x[:, t] of [B,T,...]. */
function rowOf({ shape, data }: Exact, t: number): Exact {
  const [batch, length] = shape as readonly [number, number];
  const inner = sizeOf(shape.slice(2));
  const out = new Float64Array(batch * inner);
  for (let b = 0; b < batch; b++) out.set(data.subarray((b * length + t) * inner, (b * length + t + 1) * inner), b * inner);
  return { shape: shape.toSpliced(1, 1), data: out };
}
