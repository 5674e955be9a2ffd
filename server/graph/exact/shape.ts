import { around, axisOf, type Exact, type Kernel, sizeOf } from './tensor.js';

/** Elements from…to−1 of the axis. */
function cut(x: Exact, axis: number, from: number, to: number): Exact {
  const { outer, length, inner } = around(x.shape, axis);
  const count = Math.max(to - from, 0);
  const data = new Float64Array(outer * count * inner);
  for (let o = 0; o < outer; o++) {
    const start = (o * length + from) * inner;
    data.set(x.data.subarray(start, start + count * inner), o * count * inner);
  }
  return { shape: x.shape.toSpliced(axisOf(axis, x.shape.length), 1, count), data };
}

export function concat(parts: readonly Exact[], axis: number): Exact {
  const first = parts[0] as Exact;
  const at = axisOf(axis, first.shape.length);
  const lengths = parts.map((p) => p.shape[at] as number);
  const total = lengths.reduce((a, b) => a + b, 0);
  const { outer, inner } = around(first.shape, at);
  const data = new Float64Array(outer * total * inner);
  let before = 0;
  for (const [i, part] of parts.entries()) {
    const width = (lengths[i] as number) * inner;
    for (let o = 0; o < outer; o++) data.set(part.data.subarray(o * width, (o + 1) * width), o * total * inner + before * inner);
    before += lengths[i] as number;
  }
  return { shape: first.shape.toSpliced(at, 1, total), data };
}

function reshape(x: Exact, to: readonly number[]): Exact {
  const shape = to.map((size, axis) => (size === 0 ? (x.shape[axis] as number) : size));
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = x.data.length / -sizeOf(shape);
  if (sizeOf(shape) !== x.data.length) throw new RangeError(`[${x.shape}] cannot become [${to}]`);
  return { shape, data: x.data };
}

function transpose(x: Exact, perm: readonly number[]): Exact {
  const strides = x.shape.map((_, axis) => sizeOf(x.shape.slice(axis + 1)));
  const shape = perm.map((axis) => x.shape[axis] as number);
  const data = new Float64Array(x.data.length);
  const at = new Array<number>(shape.length).fill(0);
  for (let n = 0; n < data.length; n++) {
    data[n] = x.data[at.reduce((sum, i, axis) => sum + i * (strides[perm[axis] as number] as number), 0)] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (shape[axis] as number)) break;
      at[axis] = 0;
    }
  }
  return { shape, data };
}

/** ONNX Slice with steps of one: starts and ends clip like NumPy's. */
const slice: Kernel = (inputs) => {
  const [x, starts, ends, axes] = inputs as readonly [Exact, Exact, Exact, Exact];
  const clip = (i: number, n: number) => Math.min(Math.max(i < 0 ? i + n : i, 0), n);
  const result = [...axes.data].reduce((part, axis, i) => {
    const length = part.shape[axisOf(axis, part.shape.length)] as number;
    return cut(part, axis, clip(starts.data[i] as number, length), clip(ends.data[i] as number, length));
  }, x);
  return [result];
};

const split: Kernel = (inputs, { axis }) => {
  const [x, sizes] = inputs as readonly [Exact, Exact];
  const ends = [...sizes.data].map((_, i, all) => all.slice(0, i + 1).reduce((a, b) => a + b, 0));
  return ends.map((end, i) => cut(x, axis as number, end - (sizes.data[i] as number), end));
};

const gather: Kernel = (inputs, { axis }) => {
  const [table, ids] = inputs as readonly [Exact, Exact];
  const { outer, length, inner } = around(table.shape, axis as number);
  const data = new Float64Array(outer * ids.data.length * inner);
  for (let o = 0; o < outer; o++)
    for (const [i, id] of ids.data.entries()) {
      if (id < -length || id >= length) throw new RangeError(`row ${id} of ${length}`);
      const start = (o * length + axisOf(id, length)) * inner;
      data.set(table.data.subarray(start, start + inner), (o * ids.data.length + i) * inner);
    }
  return [{ shape: table.shape.toSpliced(axisOf(axis as number, table.shape.length), 1, ...ids.shape), data }];
};

/** Zeros before and behind each axis. */
const pad: Kernel = (inputs) => {
  const [x, pads] = inputs as readonly [Exact, Exact];
  const rank = x.shape.length;
  const zeros = (like: Exact, axis: number, n: number): Exact => {
    const shape = like.shape.toSpliced(axis, 1, n);
    return { shape, data: new Float64Array(sizeOf(shape)) };
  };
  const wider = (part: Exact, axis: number) => {
    const [before, after] = [pads.data[axis] as number, pads.data[rank + axis] as number];
    return concat([zeros(part, axis, before), part, zeros(part, axis, after)], axis);
  };
  return [x.shape.reduce((part, _, axis) => wider(part, axis), x)];
};

const withAxes = (f: (shape: readonly number[], axes: readonly number[]) => readonly number[]): Kernel => {
  return (inputs) => {
    const [x, axes] = inputs as readonly [Exact, Exact];
    return [{ shape: f(x.shape, [...axes.data]), data: x.data }];
  };
};

export const shaping: Readonly<Record<string, Kernel>> = {
  Reshape: ([x, to]) => [reshape(x as Exact, [...(to as Exact).data])],
  Transpose: ([x], { perm }) => [transpose(x as Exact, perm as readonly number[])],
  Unsqueeze: withAxes((shape, axes) =>
    axes.reduce<readonly number[]>((s, axis) => s.toSpliced(axisOf(axis, s.length + 1), 0, 1), shape),
  ),
  Squeeze: withAxes((shape, axes) => shape.filter((_, axis) => !axes.some((a) => axisOf(a, shape.length) === axis))),
  Concat: (inputs, { axis }) => [concat(inputs as Exact[], axis as number)],
  Slice: slice,
  Pad: pad,
  Split: split,
  Gather: gather,
  Shape: ([x]) => [{ shape: [(x as Exact).shape.length], data: Float64Array.from((x as Exact).shape) }],
  Range: (inputs) => {
    const [start, limit, delta] = (inputs as Exact[]).map((t) => t.data[0] as number) as [number, number, number];
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    return [{ shape: [count], data: Float64Array.from({ length: count }, (_, i) => start + i * delta) }];
  },
};
