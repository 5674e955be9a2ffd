import { rowsKept } from '../protocol/keeps.js';
import { axisOf, broadcastShape, exact, sizeOf } from './exact/tensor.js';
import { kernelOf } from './interpreter.js';
import { type Constant, type Graph, isGraph, type Node, type Part, type Value } from './ir.js';
import { keepsOfDim } from './state.js';

/** What is known of a value before anything is computed: its sizes, and the numbers themselves where sizes are made of them. */
export interface Known {
  readonly shape: readonly number[];
  readonly ints: readonly number[] | null;
}

/** The sizes of one call: `tokens` new ones behind `past` earlier ones, in each of `batch` sequences. */
export interface Call {
  readonly batch: number;
  readonly tokens: number;
  readonly past: number;
  /** Sizes of the model's own inputs that are neither, by the name of the axis: `height` and `width` of an image. */
  readonly sizes?: Readonly<Record<string, number>>;
}

/** `times`: how often the node runs. Bodies of loops run once a step, all at once where its sizes are alike; branches when they are taken. */
export type Visit = (node: Node, inputs: readonly (Known | null)[], outputs: readonly Known[], times: number) => void;

/** Longest list of whole numbers that is followed: the positions of a chunk, from which some graphs make sizes. */
const MOST_INTS = 512;

/**
 * Walks a graph with the sizes of one call and no numbers. Whole numbers that come from sizes are computed, so that shapes which are made at run
 * time are known. How many tokens reach one of several parts is taken as even: tokens · chosen / count, which need not be whole.
 * Throws RangeError where a size depends on the numbers themselves.
 */
export function walk(graph: Graph, call: Call, visit: Visit): ReadonlyMap<string, Known> {
  const scope = new Scope();
  for (const value of graph.inputs) scope.define(value, inputOf(value, call, graph));
  for (const { value } of graph.weights.values()) scope.define(value, { shape: value.shape as readonly number[], ints: null });
  run(graph, scope, visit, 1);
  return scope.values;
}

/** Values by name; what a body defines stays known, its names are its own. */
class Scope {
  readonly values = new Map<string, Known>();
  /** Symbolic sizes as they were met. */
  readonly sizes = new Map<string, number>();

  define({ name, shape }: Value, known: Known): void {
    this.values.set(name, known);
    for (const [axis, size] of shape.entries())
      if (typeof size === 'string' && !this.sizes.has(size)) this.sizes.set(size, known.shape[axis] as number);
  }

  get(name: string): Known {
    const known = this.values.get(name);
    if (!known) throw new RangeError(`${name} has no size yet`);
    return known;
  }
}

/** How many rows of a kv array are valid, which its own size says. */
export function keptIn(graph: Graph, name: string, past: number): number {
  const rows = graph.inputs.find((value) => value.name === name.replace(/kept$/, 'past'))?.shape.at(-2);
  return typeof rows === 'string' ? rowsKept(keepsOfDim(rows), past) : past;
}

function inputOf({ name, shape }: Value, call: Call, graph: Graph): Known {
  const sizes = shape.map((dim) => {
    if (typeof dim === 'number') return dim;
    if (dim === 'B') return call.batch;
    if (dim === 'T') return call.tokens;
    if (dim.startsWith('C.')) return rowsKept(keepsOfDim(dim), call.past);
    const given = call.sizes?.[dim];
    if (given !== undefined) return given;
    throw new RangeError(`input ${name} has a size ${dim} that no call gives`);
  });
  if (name === 'past') return { shape: sizes, ints: [call.past] };
  return { shape: sizes, ints: name.endsWith('.kept') ? [keptIn(graph, name, call.past)] : null };
}

function run(graph: Graph, scope: Scope, visit: Visit, times: number): void {
  for (const { value, data } of graph.constants.values()) scope.define(value, constant(value, data));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => value && scope.get(value.name));
    const outputs = control(node, inputs, scope, visit, times) ?? compute(node, inputs, scope);
    for (const [i, value] of node.outputs.entries()) scope.define(value, outputs[i] as Known);
    visit(node, inputs, outputs, times);
  }
}

function constant({ shape, dtype }: Value, data: Constant['data']): Known {
  const followed = dtype !== 'f32' && data.length <= MOST_INTS;
  return { shape: shape as readonly number[], ints: followed ? Array.from(data as ArrayLike<number | bigint>, Number) : null };
}

/** Nodes with bodies; null for all others. */
function control(
  { op, attributes }: Node,
  inputs: readonly (Known | null)[],
  scope: Scope,
  visit: Visit,
  times: number,
): Known[] | null {
  const results = (body: Graph) => [...body.outputs.values()].map(({ name }) => scope.get(name));
  if (op === 'If') {
    const taken = inputs[0]?.ints?.[0];
    if (taken === undefined) throw new RangeError('which branch is taken depends on more than sizes');
    const branch = taken !== 0 ? attributes.then_branch : attributes.else_branch;
    run(branch as Graph, scope, visit, times);
    return results(branch as Graph);
  }
  if (op !== 'Scan' || !attributes.body || !isGraph(attributes.body)) return null;
  const { body } = attributes;
  const states = inputs.length - (attributes.num_scan_inputs as number);
  const steps = inputs[states]?.shape[1] as number;
  // what a step is given as whole numbers may make its sizes: each step is then walked by itself
  const apart = inputs.slice(states).every((known) => known?.ints);
  for (let step = 0; step < (apart ? steps : 1); step++) {
    for (const [i, value] of body.inputs.entries())
      scope.define(value, i < states ? { shape: (inputs[i] as Known).shape, ints: null } : ofStep(inputs[i] as Known, step));
    run(body, scope, visit, apart ? times : times * steps);
  }
  return results(body).map(({ shape }, i) => ({ shape: i < states ? shape : shape.toSpliced(1, 0, steps), ints: null }));
}

/** What a step sees of a sequence [B,T,…]: [B,…]. */
function ofStep({ shape, ints }: Known, step: number): Known {
  const [steps, size] = [shape[1] as number, sizeOf(shape.slice(2))];
  return { shape: shape.toSpliced(1, 1), ints: ints?.filter((_, i) => Math.floor(i / size) % steps === step) ?? null };
}

/** Small whole numbers by the exact interpreter, everything else by its shape. */
function compute(node: Node, inputs: readonly (Known | null)[], scope: Scope): Known[] {
  const whole = node.outputs.every(({ dtype }) => dtype !== 'f32');
  if (node.op === 'Shape') return [{ shape: [inputs[0]?.shape.length ?? 0], ints: inputs[0]?.shape ?? [] }];
  if (whole && node.op !== 'NonZero' && inputs.every((known) => known === null || known.ints)) {
    const given = inputs.map((known) => known && exact(known.shape, known.ints as readonly number[]));
    const results = kernelOf(node)(given, node.attributes);
    return results.map(({ shape, data }) => ({ shape, ints: data.length <= MOST_INTS ? [...data] : null }));
  }
  const shapes = (SHAPES[node.op] ?? broadcast)(inputs as readonly Known[], node, scope);
  return shapes.map((shape) => ({ shape, ints: null }));
}

type ShapeOf = (inputs: readonly Known[], node: Node, scope: Scope) => readonly (readonly number[])[];

const broadcast: ShapeOf = (inputs) => [
  inputs
    .filter(Boolean)
    .map(({ shape }) => shape)
    .reduce(broadcastShape),
];
const likeFirst: ShapeOf = ([x]) => [(x as Known).shape];

const ints = (known: Known | undefined, op: string): readonly number[] => {
  if (known?.ints) return known.ints;
  throw new RangeError(`${op}: a size depends on the numbers`);
};

const clip = (i: number, n: number): number => Math.min(Math.max(i < 0 ? i + n : i, 0), n);

/** Even shares: a part is reached by chosen/count of the tokens. */
const share = (part: Part | undefined, of: number): number => {
  if (!part) throw new RangeError('NonZero: how many there are depends on the numbers');
  return of / part.count;
};

const SHAPES: Readonly<Record<string, ShapeOf>> = {
  Softmax: likeFirst,
  Rotate: likeFirst,
  RMSNorm: likeFirst,
  LayerNormalization: likeFirst,
  MatMul: ([a, b], { attributes }) => {
    const [x, y] = [(a as Known).shape, (b as Known).shape];
    const n = attributes.transB === true ? y.at(-2) : y.at(-1);
    return [[...broadcastShape(x.slice(0, -2), y.slice(0, -2)), x.at(-2) as number, n as number]];
  },
  ...Object.fromEntries(
    ['ReduceSum', 'ReduceMean', 'ReduceMax'].map((op): [string, ShapeOf] => [
      op,
      ([x, axes]) => {
        const { shape } = x as Known;
        const at = ints(axes, op).map((axis) => axisOf(axis, shape.length));
        return [shape.map((size, axis) => (at.includes(axis) ? 1 : size))];
      },
    ]),
  ),
  Reshape: ([x, to], { outputs }, { sizes: named }) => {
    const { shape } = x as Known;
    const sizes = ints(to, 'Reshape').map((size, axis) => (size === 0 ? (shape[axis] as number) : size));
    const open = sizes.indexOf(-1);
    if (open < 0) return [sizes];
    // what is left of nothing (no row is cached yet) only its name can say
    const left = sizeOf(shape) / -sizeOf(sizes);
    sizes[open] = Number.isNaN(left) ? (named.get(String(outputs[0]?.shape[open])) ?? 0) : left;
    return [sizes];
  },
  Transpose: ([x], { attributes }) => [(attributes.perm as readonly number[]).map((axis) => (x as Known).shape[axis] as number)],
  Unsqueeze: ([x, axes]) => [
    ints(axes, 'Unsqueeze').reduce<readonly number[]>(
      (s, axis) => s.toSpliced(axisOf(axis, s.length + 1), 0, 1),
      (x as Known).shape,
    ),
  ],
  Squeeze: ([x, axes]) => {
    const { shape } = x as Known;
    const at = ints(axes, 'Squeeze').map((axis) => axisOf(axis, shape.length));
    return [shape.filter((_, axis) => !at.includes(axis))];
  },
  Concat: (parts, { attributes }) => {
    const first = parts[0]?.shape as readonly number[];
    const at = axisOf(attributes.axis as number, first.length);
    return [
      first.toSpliced(
        at,
        1,
        parts.reduce((sum, { shape }) => sum + (shape[at] as number), 0),
      ),
    ];
  },
  Slice: ([x, starts, ends, axes]) => {
    const [from, to] = [ints(starts, 'Slice'), ints(ends, 'Slice')];
    return [
      ints(axes, 'Slice').reduce<readonly number[]>(
        (shape, axis, i) => {
          const at = axisOf(axis, shape.length);
          const length = shape[at] as number;
          return shape.toSpliced(at, 1, Math.max(0, clip(to[i] as number, length) - clip(from[i] as number, length)));
        },
        (x as Known).shape,
      ),
    ];
  },
  Split: ([x, sizes], { attributes }) => {
    const { shape } = x as Known;
    return ints(sizes, 'Split').map((size) => shape.toSpliced(axisOf(attributes.axis as number, shape.length), 1, size));
  },
  Pad: ([x, pads]) => {
    const [{ shape }, by] = [x as Known, ints(pads, 'Pad')];
    return [shape.map((size, axis) => size + (by[axis] as number) + (by[shape.length + axis] as number))];
  },
  Resize: ([, , , sizes]) => [ints(sizes, 'Resize')],
  Expand: ([x, size]) => [broadcastShape((x as Known).shape, ints(size, 'Expand'))],
  Gather: ([table, ids], { attributes }) => {
    const { shape } = table as Known;
    return [shape.toSpliced(axisOf(attributes.axis as number, shape.length), 1, ...(ids as Known).shape)];
  },
  GatherElements: ([, ids]) => [(ids as Known).shape],
  TopK: ([x, k], { attributes }) => {
    const { shape } = x as Known;
    const result = shape.toSpliced(axisOf(attributes.axis as number, shape.length), 1, ints(k, 'TopK')[0] as number);
    return [result, result];
  },
  NonZero: ([x], { part }) => [[(x as Known).shape.length, share(part, sizeOf((x as Known).shape))]],
  Range: ([start, limit, delta]) => {
    const [from, to, by] = [start, limit, delta].map((known) => ints(known, 'Range')[0]) as [number, number, number];
    return [[Math.max(0, Math.ceil((to - from) / by))]];
  },
};
