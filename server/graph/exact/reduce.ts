import { around, axisOf, broadcastIndex, broadcastShape, type Exact, type Kernel, sizeOf } from './tensor.js';

/** Rows of the last axis, each replaced by `f` of it. */
function eachRow(x: Exact, f: (row: Float64Array) => ArrayLike<number>): Exact {
  const width = x.shape.at(-1) as number;
  const data = new Float64Array(x.data.length);
  for (let at = 0; at < data.length; at += width) data.set(f(x.data.subarray(at, at + width)), at);
  return { shape: x.shape, data };
}

const sum = (row: Float64Array): number => row.reduce((a, b) => a + b, 0);
const mean = (row: Float64Array): number => sum(row) / row.length;

/** Over one axis, which stays with size 1. */
const reduce =
  (f: (values: Float64Array) => number): Kernel =>
  (inputs) => {
    const [x, axes] = inputs as readonly [Exact, Exact];
    const axis = axes.data[0] as number;
    const { outer, length, inner } = around(x.shape, axis);
    const data = new Float64Array(outer * inner);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++)
        data[o * inner + i] = f(Float64Array.from({ length }, (_, n) => x.data[(o * length + n) * inner + i] as number));
    return [{ shape: x.shape.toSpliced(axisOf(axis, x.shape.length), 1, 1), data }];
  };

const softmax: Kernel = ([x]) => [
  eachRow(x as Exact, (row) => {
    const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const weights = row.map((v) => Math.exp(v - top));
    const total = sum(weights);
    return weights.map((w) => w / total);
  }),
];

const rmsNorm: Kernel = ([x, scale], { eps }) => [
  eachRow(x as Exact, (row) => {
    const factor = 1 / Math.sqrt(mean(row.map((v) => v * v)) + (eps as number));
    return row.map((v, i) => v * factor * ((scale as Exact).data[i] as number));
  }),
];

const layerNorm: Kernel = ([x, scale, bias], { epsilon }) => [
  eachRow(x as Exact, (row) => {
    const middle = mean(row);
    const factor = 1 / Math.sqrt(mean(row.map((v) => (v - middle) ** 2)) + (epsilon as number));
    return row.map((v, i) => (v - middle) * factor * ((scale as Exact).data[i] as number) + (bias?.data[i] ?? 0));
  }),
];

/** [..., m, k] · [..., k, n] (or [..., n, k] transposed) · alpha, batch axes broadcast. */
const matmul: Kernel = (inputs, { transB = false, alpha = 1 }) => {
  const [a, b] = inputs as readonly [Exact, Exact];
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [rows, columns] = b.shape.slice(-2) as [number, number];
  const [inner, n] = transB ? [columns, rows] : [rows, columns];
  if (inner !== k) throw new RangeError(`[${a.shape}] · [${b.shape}] do not fit`);
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcastShape(batchA, batchB);
  const [fromA, fromB] = [broadcastIndex(batchA, batch), broadcastIndex(batchB, batch)];
  const data = new Float64Array(sizeOf(batch) * m * n);
  const [stepRow, stepColumn] = transB ? [1, k] : [n, 1];
  for (let at = 0; at < fromA.length; at++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const [left, right] = [((fromA[at] as number) * m + i) * k, (fromB[at] as number) * k * n + j * stepColumn];
        let dot = 0;
        for (let l = 0; l < k; l++) dot += (a.data[left + l] as number) * (b.data[right + l * stepRow] as number);
        data[(at * m + i) * n + j] = dot * (alpha as number);
      }
  return [{ shape: [...batch, m, n], data }];
};

export const reductions: Readonly<Record<string, Kernel>> = {
  ReduceSum: reduce(sum),
  ReduceMean: reduce(mean),
  ReduceMax: reduce((values) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)),
  Softmax: softmax,
  RMSNorm: rmsNorm,
  LayerNormalization: layerNorm,
  MatMul: matmul,
};
