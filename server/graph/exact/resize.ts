import { around, type Exact, type Kernel } from './tensor.js';

/** Weight of a sample at distance `x` from a pixel: Keys 1981. */
function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** Which pixels make one, and how much of each. */
type Taps = (centre: number) => { readonly from: number; readonly weights: readonly number[] };

/** The four about a place, with the a of ONNX and torch; pixels beyond the edge are those at the edge. */
const four: Taps = (centre) => {
  const from = Math.floor(centre) - 1;
  return { from, weights: [0, 1, 2, 3].map((tap) => cubic(centre - from - tap, -0.75)) };
};

/** Those that a smaller image has in one of its pixels, with the a of Pillow; there are none beyond the edge. */
const smooth =
  (length: number, to: number): Taps =>
  (centre) => {
    const scale = Math.max(1, length / to);
    const from = Math.max(0, Math.trunc(centre + 0.5 - 2 * scale + 0.5));
    const end = Math.min(length, Math.trunc(centre + 0.5 + 2 * scale + 0.5));
    const raw = Array.from({ length: end - from }, (_, tap) => cubic((from + tap - centre) / scale, -0.5));
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { from, weights: raw.map((weight) => weight / sum) };
  };

/** One axis resampled, pixels centred on halves. */
function along(x: Exact, axis: number, to: number, antialias: boolean): Exact {
  const { outer, length, inner } = around(x.shape, axis);
  const data = new Float64Array(outer * to * inner);
  const taps = antialias ? smooth(length, to) : four;
  for (let t = 0; t < to; t++) {
    const { from, weights } = taps(((t + 0.5) * length) / to - 0.5);
    for (const [tap, weight] of weights.entries()) {
      const pixel = Math.min(Math.max(from + tap, 0), length - 1);
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < inner; i++) {
          const at = (o * to + t) * inner + i;
          data[at] = (data[at] as number) + weight * (x.data[(o * length + pixel) * inner + i] as number);
        }
    }
  }
  return { shape: x.shape.toSpliced(axis, 1, to), data };
}

/** Cubic, by sizes. */
export const resize: Kernel = (inputs, { antialias }) => {
  const [x, , , sizes] = inputs as readonly [Exact, null, null, Exact];
  const smoothly = antialias === 1;
  return [
    [...sizes.data].reduce((part, size, axis) => (part.shape[axis] === size ? part : along(part, axis, size, smoothly)), x),
  ];
};
