import type { Rgb } from './rgb.js';

/** A resampling filter: how much a pixel counts at a distance, in pixels of the coarser grid. */
interface Filter {
  readonly support: number;
  readonly weight: (x: number) => number;
}

/** In Pillow's order of operations: the product is rounded before its sine is taken. */
function sinc(x: number): number {
  const angle = x * Math.PI;
  return x === 0 ? 1 : Math.sin(angle) / angle;
}

/** Keys 1981 with a = −1/2. */
function cubic(x: number): number {
  const [a, d] = [-0.5, Math.abs(x)];
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

/** Hamming's coefficients are single precision in Pillow. */
const [HAMMING, REST] = [Math.fround(0.54), Math.fround(0.46)];

/** By Pillow's numbers, which are what `resample` of a preprocessor_config.json means. Nearest (0) is another way. */
export const filters: Readonly<Record<number, Filter | null>> = {
  0: null,
  1: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
  2: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  3: { support: 2, weight: cubic },
  4: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  5: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(Math.abs(x)) * (HAMMING + REST * Math.cos(Math.abs(x) * Math.PI))),
  },
};

/** Bits behind the point in Pillow's weights of 8-bit images. */
const BITS = 22;
const HALF = 2 ** (BITS - 1);

/** For each pixel of the result, where it begins to read and with what weights, as whole numbers. */
function taps(from: number, to: number, { support, weight }: Filter) {
  const scale = from / to;
  const wider = Math.max(scale, 1);
  const reach = support * wider;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: last - first }, (_, k) => weight((k + first - centre + 0.5) * (1 / wider)));
    const sum = raw.reduce((a, b) => a + b, 0);
    const weights = raw.map((w) => (sum === 0 ? w : w / sum));
    return { first, weights: Int32Array.from(weights, (w) => Math.trunc((w < 0 ? -0.5 : 0.5) + w * 2 ** BITS)) };
  });
}

/** The sum of bytes by weights, rounded, as a byte. */
function toByte(sum: number): number {
  const value = sum >> BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Along x: [H, from, 3] → [H, to, 3]. */
function horizontally({ width, height, data }: Rgb, to: number, filter: Filter): Rgb {
  const reads = taps(width, to, filter);
  const out = new Uint8Array(height * to * 3);
  for (let y = 0, at = 0; y < height; y++)
    for (const { first, weights } of reads) {
      let [red, green, blue] = [HALF, HALF, HALF];
      let from = (y * width + first) * 3;
      for (let k = 0; k < weights.length; k++, from += 3) {
        const weight = weights[k] as number;
        red += (data[from] as number) * weight;
        green += (data[from + 1] as number) * weight;
        blue += (data[from + 2] as number) * weight;
      }
      out[at++] = toByte(red);
      out[at++] = toByte(green);
      out[at++] = toByte(blue);
    }
  return { width: to, height, data: out };
}

/** Along y: [from, W, 3] → [to, W, 3]. */
function vertically({ width, height, data }: Rgb, to: number, filter: Filter): Rgb {
  const out = new Uint8Array(to * width * 3);
  const row = width * 3;
  const sums = new Float64Array(row);
  for (const [y, { first, weights }] of taps(height, to, filter).entries()) {
    sums.fill(HALF);
    for (let k = 0; k < weights.length; k++) {
      const [weight, from] = [weights[k] as number, (first + k) * row];
      for (let x = 0; x < row; x++) sums[x] = (sums[x] as number) + (data[from + x] as number) * weight;
    }
    for (let x = 0; x < row; x++) out[y * row + x] = toByte(sums[x] as number);
  }
  return { width, height: to, data: out };
}

/** Where each pixel of the result is taken from: the step is added up, so that its rounding adds up as in Pillow. */
function nearestOf(from: number, to: number): Int32Array {
  const step = from / to;
  const places = new Int32Array(to);
  for (let i = 0, at = step * 0.5; i < to; i++, at += step) places[i] = Math.trunc(at);
  return places;
}

/** Black where the sum of steps ran past the edge. */
function nearest({ width, height, data }: Rgb, w: number, h: number): Rgb {
  const out = new Uint8Array(w * h * 3);
  const [columns, rows] = [nearestOf(width, w), nearestOf(height, h)];
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      if (row < height && column < width) out.set(data.subarray((row * width + column) * 3, (row * width + column) * 3 + 3), at);
      at += 3;
    }
  return { width: w, height: h, data: out };
}

/**
 * Image.resize of Pillow 13 for an 8-bit image, bit for bit: antialiased (the filter widens when the image shrinks), rounded to bytes between the
 * two directions, weights in fixed point. First along x, unless the height shrinks by more than twice what the width does.
 */
export function resize(image: Rgb, width: number, height: number, filter: Filter | null): Rgb {
  if (image.width === width && image.height === height) return image;
  if (filter === null) return nearest(image, width, height);
  const shrinks = image.height - height;
  const tall = shrinks > 0 && shrinks > 2 * (image.width - width);
  const along = (x: boolean, from: Rgb): Rgb => {
    if (x) return from.width === width ? from : horizontally(from, width, filter);
    return from.height === height ? from : vertically(from, height, filter);
  };
  return along(tall, along(!tall, image));
}
