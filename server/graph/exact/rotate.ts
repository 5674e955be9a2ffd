import type { Exact, Kernel } from './tensor.js';

/** Pairs of the first `dims` of each row of x [..., T, E], turned by angles whose cos and sin are [T, dims / 2]. */
const turn: Kernel = (inputs, attributes) => {
  const [x, cos, sin] = inputs as readonly [Exact, Exact, Exact];
  const { dims, interleaved } = attributes as { readonly dims: number; readonly interleaved: boolean };
  const [T, E] = x.shape.slice(-2) as [number, number];
  const data = Float64Array.from(x.data);
  const half = dims / 2;
  for (let row = 0; row * E < data.length; row++)
    for (let pair = 0; pair < half; pair++) {
      const angle = (row % T) * half + pair;
      const [c, s] = [cos.data[angle] as number, sin.data[angle] as number];
      const first = row * E + (interleaved ? 2 * pair : pair);
      const second = interleaved ? first + 1 : first + half;
      const [a, b] = [x.data[first] as number, x.data[second] as number];
      data[first] = a * c - b * s;
      data[second] = b * c + a * s;
    }
  return [{ shape: x.shape, data }];
};

export const rotating: Readonly<Record<string, Kernel>> = { Rotate: turn };
