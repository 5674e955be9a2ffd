import { around, broadcastIndex, broadcastShape, type Exact, type Kernel } from './tensor.js';

/** Operators whose result depends on which values are where. */

/** Sorted, ties in order. */
const topK: Kernel = (inputs, { axis, largest = 1 }) => {
  const [x, count] = inputs as readonly [Exact, Exact];
  const { outer, length, inner } = around(x.shape, axis as number);
  if (inner !== 1) throw new RangeError('TopK of another axis than the last');
  const k = count.data[0] as number;
  const shape = x.shape.toSpliced(-1, 1, k);
  const [values, indices] = [new Float64Array(outer * k), new Float64Array(outer * k)];
  for (let o = 0; o < outer; o++) {
    const row = x.data.subarray(o * length, (o + 1) * length);
    const value = (i: number) => row[i] as number;
    const order = [...row.keys()].sort((a, b) => (largest === 1 ? value(b) - value(a) : value(a) - value(b)) || a - b);
    for (let i = 0; i < k; i++) [values[o * k + i], indices[o * k + i]] = [value(order[i] as number), order[i] as number];
  }
  return [
    { shape, data: values },
    { shape, data: indices },
  ];
};

const gatherElements: Kernel = (inputs, { axis }) => {
  const [x, ids] = inputs as readonly [Exact, Exact];
  const { outer, length, inner } = around(x.shape, axis as number);
  const wanted = around(ids.shape, axis as number);
  if (inner !== 1 || wanted.outer !== outer) throw new RangeError('GatherElements of another axis than the last');
  return [{ shape: ids.shape, data: ids.data.map((id, i) => x.data[Math.floor(i / wanted.length) * length + id] as number) }];
};

/** Of a vector only: [1, n]. */
const nonZero: Kernel = ([x]) => {
  const { shape, data } = x as Exact;
  if (shape.length !== 1) throw new RangeError('NonZero of more than a vector');
  const found = Float64Array.from([...data.keys()].filter((i) => data[i] !== 0));
  return [{ shape: [1, found.length], data: found }];
};

/** Both ways: a 1 in the wanted size leaves what is there. */
const expand: Kernel = (inputs) => {
  const [x, size] = inputs as readonly [Exact, Exact];
  const shape = broadcastShape(x.shape, [...size.data]);
  return [{ shape, data: Float64Array.from(broadcastIndex(x.shape, shape), (i) => x.data[i] as number) }];
};

export const selecting: Readonly<Record<string, Kernel>> = {
  TopK: topK,
  GatherElements: gatherElements,
  NonZero: nonZero,
  Expand: expand,
};
