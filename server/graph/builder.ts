import type { Attribute, Constant, Dim, DType, Graph, Part, Value } from './ir.js';
import * as shapes from './shapes.js';

type Operand = Value | number;

/**
 * Writes a graph one operator at a time. Shapes are checked as they are built, so that a contradiction between config and
 * tensors is found at its place and not inside ONNX Runtime. Letters: B batch, T new tokens, C rows of a KV array.
 */
export class Builder {
  readonly graph: Graph;
  #count = 0;
  #part: Part | null = null;

  /** `prefix` keeps the generated names of two graphs, or of a body and its surroundings, apart. */
  constructor(
    name: string,
    private readonly prefix = 'v',
  ) {
    this.graph = { name, inputs: [], outputs: new Map(), nodes: [], constants: new Map(), weights: new Map() };
  }

  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const known = this.graph.inputs.find((value) => value.name === name);
    if (known) return known;
    const value = { name, dtype, shape };
    this.graph.inputs.push(value);
    return value;
  }

  output(name: string, value: Value): void {
    this.graph.outputs.set(name, value);
  }

  op(
    op: string,
    inputs: readonly (Value | null)[],
    shape: readonly Dim[],
    attributes: Record<string, Attribute> = {},
    dtype?: DType,
  ): Value {
    return this.ops(op, inputs, [{ shape, ...(dtype && { dtype }) }], attributes)[0] as Value;
  }

  ops(
    op: string,
    inputs: readonly (Value | null)[],
    results: readonly { readonly shape: readonly Dim[]; readonly dtype?: DType }[],
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const outputs = results.map(({ shape, dtype }) => ({ name: this.#name(), dtype: dtype ?? inputs[0]?.dtype ?? 'f32', shape }));
    this.graph.nodes.push({ op, inputs, outputs, attributes, ...(this.#part && { part: this.#part }) });
    return outputs;
  }

  /** Operators of `build` belong to one of several parts that are built alike. */
  part<R>(part: Part, build: () => R): R {
    const outer = this.#part;
    this.#part = part;
    try {
      return build();
    } finally {
      this.#part = outer;
    }
  }

  // constants ────────────────────────────────────────────────────────────────

  constant(data: Constant['data'] | number, shape: readonly number[] = []): Value {
    const array = typeof data === 'number' ? Float32Array.of(data) : data;
    const dtype = array instanceof Float32Array ? 'f32' : array instanceof BigInt64Array ? 'i64' : 'bool';
    const value = { name: this.#name(), dtype, shape } as const;
    this.graph.constants.set(value.name, { value, data: array });
    return value;
  }

  ints(...values: number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  // arithmetic ───────────────────────────────────────────────────────────────

  add = (a: Value, b: Operand) => this.#binary('Add', a, b);
  sub = (a: Value, b: Operand) => this.#binary('Sub', a, b);
  mul = (a: Value, b: Operand) => this.#binary('Mul', a, b);
  div = (a: Value, b: Operand) => this.#binary('Div', a, b);
  /** The remainder has the sign of b. */
  mod = (a: Value, b: Operand) => this.#binary('Mod', a, b);
  min = (a: Value, b: Operand) => this.#binary('Min', a, b);
  max = (a: Value, b: Operand) => this.#binary('Max', a, b);
  less = (a: Value, b: Value) => this.#binary('Less', a, b, 'bool');
  lessOrEqual = (a: Value, b: Value) => this.#binary('LessOrEqual', a, b, 'bool');
  greater = (a: Value, b: Value) => this.#binary('Greater', a, b, 'bool');
  equal = (a: Value, b: Value) => this.#binary('Equal', a, b, 'bool');
  and = (a: Value, b: Value) => this.#binary('And', a, b, 'bool');

  neg = (x: Value) => this.#unary('Neg', x);
  exp = (x: Value) => this.#unary('Exp', x);
  log = (x: Value) => this.#unary('Log', x);
  sin = (x: Value) => this.#unary('Sin', x);
  cos = (x: Value) => this.#unary('Cos', x);
  tanh = (x: Value) => this.#unary('Tanh', x);
  relu = (x: Value) => this.#unary('Relu', x);
  sigmoid = (x: Value) => this.#unary('Sigmoid', x);
  softplus = (x: Value) => this.#unary('Softplus', x);
  gelu = (x: Value, approximate: 'none' | 'tanh') => this.op('Gelu', [x], x.shape, { approximate });
  silu = (x: Value) => this.mul(x, this.sigmoid(x));
  softmax = (x: Value) => this.op('Softmax', [x], x.shape, { axis: -1 });

  where = (condition: Value, a: Value, b: Value) =>
    this.op(
      'Where',
      [condition, a, b],
      shapes.broadcast('Where', condition.shape, shapes.broadcast('Where', a.shape, b.shape)),
      {},
      a.dtype,
    );

  /** x · y, or x · yᵀ · alpha when transposed. */
  matmul(a: Value, b: Value, { transB = false, alpha = 1 } = {}): Value {
    return this.op('MatMul', [a, b], shapes.matmul(a.shape, b.shape, transB), {
      ...(transB && { transB }),
      ...(alpha !== 1 && { alpha }),
    });
  }

  reduceSum = (x: Value, axis: number) => this.#reduce('ReduceSum', x, axis);
  reduceMean = (x: Value, axis: number) => this.#reduce('ReduceMean', x, axis);
  reduceMax = (x: Value, axis: number) => this.#reduce('ReduceMax', x, axis);

  // shape ────────────────────────────────────────────────────────────────────

  reshape(x: Value, ...to: number[]): Value {
    return this.op('Reshape', [x, this.ints(...to)], shapes.reshape(x.shape, to));
  }

  transpose(x: Value, ...perm: number[]): Value {
    return this.op(
      'Transpose',
      [x],
      perm.map((axis) => x.shape[axis] as Dim),
      { perm },
    );
  }

  /** The last two axes exchanged. */
  turned(x: Value): Value {
    const rank = x.shape.length;
    return this.transpose(x, ...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2);
  }

  unsqueeze(x: Value, axis: number): Value {
    const at = axis < 0 ? x.shape.length + 1 + axis : axis;
    return this.op('Unsqueeze', [x, this.ints(at)], x.shape.toSpliced(at, 0, 1));
  }

  squeeze(x: Value, axis: number): Value {
    const at = axis < 0 ? x.shape.length + axis : axis;
    return this.op('Squeeze', [x, this.ints(at)], x.shape.toSpliced(at, 1));
  }

  concat(parts: readonly Value[], axis: number): Value {
    const first = parts[0] as Value;
    const at = axis < 0 ? first.shape.length + axis : axis;
    return this.op('Concat', parts, first.shape.toSpliced(at, 1, shapes.sum(parts.map((p) => p.shape[at] as Dim))), { axis: at });
  }

  /** `to` and negative `from` count as in NumPy; `size` names the result when the axis is symbolic. */
  slice(x: Value, axis: number, from: number, to: number, size?: Dim): Value {
    const at = axis < 0 ? x.shape.length + axis : axis;
    const length = x.shape[at] as Dim;
    const clip = (i: number, n: number) => Math.min(Math.max(i < 0 ? i + n : i, 0), n);
    const known = typeof length === 'number' ? clip(to, length) - clip(from, length) : (size ?? `${length}[${from}:${to}]`);
    return this.op('Slice', [x, this.ints(from), this.ints(to), this.ints(at)], x.shape.toSpliced(at, 1, known));
  }

  split(x: Value, axis: number, sizes: readonly number[]): Value[] {
    const at = axis < 0 ? x.shape.length + axis : axis;
    const results = sizes.map((size) => ({ shape: x.shape.toSpliced(at, 1, size) }));
    return this.ops('Split', [x, this.ints(...sizes)], results, { axis: at });
  }

  gather(table: Value, ids: Value, axis = 0): Value {
    return this.op(
      'Gather',
      [table, ids],
      [...table.shape.slice(0, axis), ...ids.shape, ...table.shape.slice(axis + 1)],
      { axis },
      table.dtype,
    );
  }

  /** Cubic interpolation (a = −0.75) of an image [1,C,h,w] to `sizes`, i64 [4], pixels centred on halves: as torch's bicubic. */
  resizeCubic(x: Value, sizes: Value, shape: readonly Dim[], antialias = false): Value {
    const smooth = antialias ? { antialias: 1, cubic_coeff_a: -0.5, exclude_outside: 1 } : {};
    const attributes = { mode: 'cubic', coordinate_transformation_mode: 'half_pixel', ...smooth };
    return this.op('Resize', [x, null, null, sizes], shape, attributes);
  }

  cast(x: Value, dtype: DType): Value {
    return this.op('Cast', [x], x.shape, { to: dtype }, dtype);
  }

  /** The size of one axis as an i64 scalar. */
  size(x: Value, axis: number): Value {
    const shape = this.op('Shape', [x], [x.shape.length], {}, 'i64');
    return this.gather(shape, this.constant(BigInt64Array.of(BigInt(axis)), []));
  }

  /** 0, 1, … length−1 as i64. */
  range(length: Value, size: Dim): Value {
    const scalar = (n: number) => this.constant(BigInt64Array.of(BigInt(n)), []);
    return this.op('Range', [scalar(0), length, scalar(1)], [size], {}, 'i64');
  }

  /** x with zeros behind it along one axis; `after` is an i64 [1], `size` names the new length. */
  padEnd(x: Value, axis: number, after: Value, size: Dim): Value {
    const zeros = (n: number) => (n === 0 ? [] : [this.ints(...new Array<number>(n).fill(0))]);
    const pads = this.concat([...zeros(x.shape.length + axis), after, ...zeros(x.shape.length - axis - 1)], 0);
    return this.op('Pad', [x, pads], x.shape.toSpliced(axis, 1, size));
  }

  // control ──────────────────────────────────────────────────────────────────

  /** Only the branch that is taken runs: ONNX If. Both see what surrounds them and give values of the same shapes. */
  choose(condition: Value, yes: (b: Builder) => readonly Value[], no: (b: Builder) => readonly Value[]): Value[] {
    const name = this.#name();
    const branch = (which: string, build: (b: Builder) => readonly Value[]) => {
      const body = new Builder(which, `${name}.${which}.`);
      for (const value of build(body)) body.output(body.#name(), body.op('Identity', [value], value.shape));
      return body.graph;
    };
    const [then_branch, else_branch] = [branch('then', yes), branch('else', no)];
    return this.ops('If', [condition], [...then_branch.outputs.values()], { then_branch, else_branch });
  }

  /** `scanStates` with one state. */
  scan(
    initial: Value,
    sequences: readonly Value[],
    step: (
      body: Builder,
      state: Value,
      inputs: readonly Value[],
    ) => { readonly state: Value; readonly outputs: readonly Value[] },
    reverse = false,
  ): { readonly last: Value; readonly outputs: readonly Value[] } {
    const update: Parameters<Builder['scanStates']>[2] = (body, [before], inputs) => {
      const { state, outputs } = step(body, before as Value, inputs);
      return { states: [state], outputs };
    };
    const { last, outputs } = this.scanStates([initial], sequences, update, reverse);
    return { last: last[0] as Value, outputs };
  }

  /**
   * h_t, y_t = step(h_{t−1}, x_t …) over axis 1 of the sequences, as ONNX Scan. Sequences [B,T,…]; the body sees them without T.
   * Returns the last states, the outputs [B,T,…] in the order of `step`. In reverse it begins at the last token; every row stays where its token is.
   */
  scanStates(
    initial: readonly Value[],
    sequences: readonly Value[],
    step: (
      body: Builder,
      states: readonly Value[],
      inputs: readonly Value[],
    ) => { readonly states: readonly Value[]; readonly outputs: readonly Value[] },
    reverse = false,
  ): { readonly last: readonly Value[]; readonly outputs: readonly Value[] } {
    const name = this.#name();
    const length = sequences[0]?.shape[1] as Dim;
    const body = new Builder('body', `${name}.`);
    const states = initial.map((value, i) => body.input(`${name}.state${i}`, 'f32', value.shape));
    const inputs = sequences.map((s, i) => body.input(`${name}.x${i}`, s.dtype, s.shape.toSpliced(1, 1)));
    const result = step(body, states, inputs);
    for (const [i, value] of [...result.states, ...result.outputs].entries())
      body.output(`${name}.y${i}`, body.op('Identity', [value], value.shape));
    const results = this.ops(
      'Scan',
      [...initial, ...sequences],
      [
        ...initial.map(({ shape, dtype }) => ({ shape, dtype })),
        ...result.outputs.map(({ shape, dtype }) => ({ shape: shape.toSpliced(1, 0, length), dtype })),
      ],
      {
        body: body.graph,
        num_scan_inputs: sequences.length,
        scan_input_axes: sequences.map(() => 1),
        scan_output_axes: result.outputs.map(() => 1),
        ...(reverse && {
          scan_input_directions: sequences.map(() => 1),
          scan_output_directions: result.outputs.map(() => 1),
        }),
      },
    );
    return { last: results.slice(0, initial.length), outputs: results.slice(initial.length) };
  }

  #name(): string {
    return `${this.prefix}${this.#count++}`;
  }

  #operand(like: Value, b: Operand): Value {
    if (typeof b !== 'number') return b;
    return like.dtype === 'i64' ? this.constant(BigInt64Array.of(BigInt(b)), []) : this.constant(b);
  }

  #binary(op: string, a: Value, b: Operand, dtype?: DType): Value {
    const right = this.#operand(a, b);
    return this.op(op, [a, right], shapes.broadcast(op, a.shape, right.shape), {}, dtype);
  }

  #unary(op: string, x: Value): Value {
    return this.op(op, [x], x.shape);
  }

  /** Keeps the reduced axis with size 1. */
  #reduce(op: string, x: Value, axis: number): Value {
    const at = axis < 0 ? x.shape.length + axis : axis;
    return this.op(op, [x, this.ints(at)], x.shape.toSpliced(at, 1, 1), { keepdims: 1 });
  }
}
