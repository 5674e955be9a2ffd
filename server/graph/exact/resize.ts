import { around, type Exact, type Kernel } from './tensor.js';

/** Weight of a sample at distance `x` from a pixel: Keys 1981, with the a that ONNX and torch have. */
function cubic(x: number): number {
  const [a, d] = [-0.75, Math.abs(x)];
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** One axis resampled, pixels centred on halves; pixels beyond the edge are those at the edge. */
function along(x: Exact, axis: number, to: number): Exact {
  const { outer, length, inner } = around(x.shape, axis);
  const data = new Float64Array(outer * to * inner);
  for (let o = 0; o < outer; o++)
    for (let t = 0; t < to; t++) {
      const centre = ((t + 0.5) * length) / to - 0.5;
      for (let tap = Math.floor(centre) - 1; tap <= Math.floor(centre) + 2; tap++) {
        const from = Math.min(Math.max(tap, 0), length - 1);
        const weight = cubic(centre - tap);
        for (let i = 0; i < inner; i++) {
          const at = (o * to + t) * inner + i;
          data[at] = (data[at] as number) + weight * (x.data[(o * length + from) * inner + i] as number);
        }
      }
    }
  return { shape: x.shape.toSpliced(axis, 1, to), data };
}

/** Cubic, by sizes. */
export const resize: Kernel = (inputs) => {
  const [x, , , sizes] = inputs as readonly [Exact, null, null, Exact];
  return [[...sizes.data].reduce((part, size, axis) => (part.shape[axis] === size ? part : along(part, axis, size)), x)];
};
