import { broadcastIndex, broadcastShape, type Exact, type Kernel, sizeOf } from './tensor.js';

/** 2/√π ∫₀ˣ e^{−t²} dt = 2/√π e^{−x²} Σ 2ⁿ x^{2n+1} / (2n+1)!!: all terms have one sign, so nothing cancels. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const map = (x: Exact, f: (v: number) => number): Exact => ({ shape: x.shape, data: x.data.map(f) });

const unary =
  (f: (v: number) => number): Kernel =>
  ([x]) => [map(x as Exact, f)];

function combine(a: Exact, b: Exact, f: (x: number, y: number) => number): Exact {
  const shape = broadcastShape(a.shape, b.shape);
  const [i, j] = [broadcastIndex(a.shape, shape), broadcastIndex(b.shape, shape)];
  const data = Float64Array.from({ length: i.length }, (_, n) =>
    f(a.data[i[n] as number] as number, b.data[j[n] as number] as number),
  );
  return { shape, data };
}

const binary =
  (f: (x: number, y: number) => number): Kernel =>
  (inputs) => [(inputs as Exact[]).reduce((a, b) => combine(a, b, f))];

const gelu = {
  none: (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  tanh: (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

const where: Kernel = (inputs) => {
  const all = inputs as readonly [Exact, Exact, Exact];
  const shape = all.map((t) => t.shape).reduce<readonly number[]>(broadcastShape, []);
  const [c, a, b] = all.map((t) => broadcastIndex(t.shape, shape)) as [Int32Array, Int32Array, Int32Array];
  const [condition, yes, no] = all.map((t) => t.data) as [Float64Array, Float64Array, Float64Array];
  const pick = (n: number) => (condition[c[n] as number] !== 0 ? yes[a[n] as number] : no[b[n] as number]) as number;
  return [{ shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, n) => pick(n)) }];
};

export const elementwise: Readonly<Record<string, Kernel>> = {
  Add: binary((x, y) => x + y),
  Sub: binary((x, y) => x - y),
  Mul: binary((x, y) => x * y),
  Div: binary((x, y) => x / y),
  'Div i64': binary((x, y) => Math.trunc(x / y)),
  Mod: binary((x, y) => x - y * Math.floor(x / y)),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Less: binary((x, y) => Number(x < y)),
  LessOrEqual: binary((x, y) => Number(x <= y)),
  Equal: binary((x, y) => Number(x === y)),
  Greater: binary((x, y) => Number(x > y)),
  And: binary((x, y) => Number(x !== 0 && y !== 0)),
  Where: where,
  Neg: unary((x) => -x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tanh: unary(Math.tanh),
  Sqrt: unary(Math.sqrt),
  Relu: unary((x) => Math.max(x, 0)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Gelu: ([x], { approximate }) => [map(x as Exact, gelu[approximate as keyof typeof gelu])],
  Identity: ([x]) => [x as Exact],
  Cast: ([x], { to }) => [
    to === 'i64' ? map(x as Exact, Math.trunc) : to === 'bool' ? map(x as Exact, (v) => Number(v !== 0)) : (x as Exact),
  ],
};
