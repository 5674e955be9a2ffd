import type { Rgb } from './rgb.js';

/** A resampling filter: how much a pixel counts at a distance, in pixels of the coarser grid. */
interface Filter {
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Keys 1981 with a = −1/2. */
function cubic(x: number): number {
  const [a, d] = [-0.5, Math.abs(x)];
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

/** By Pillow's numbers, which are what `resample` of a preprocessor_config.json means. Nearest (0) is another way. */
export const filters: Readonly<Record<number, Filter | null>> = {
  0: null,
  1: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
  2: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  3: { support: 2, weight: cubic },
  4: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  5: { support: 1, weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))) },
};

/** Bits behind the point in Pillow's weights of 8-bit images. */
const BITS = 22;

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
    const weights = raw.map((w) => (sum === 0 ? w : w * (1 / sum)));
    return { first, weights: Int32Array.from(weights, (w) => Math.trunc((w < 0 ? -0.5 : 0.5) + w * 2 ** BITS)) };
  });
}

const clip = (x: number): number => Math.min(Math.max(x, 0), 255);

/** Along x: [H, from, 3] → [H, to, 3]. */
function horizontally({ width, height, data }: Rgb, to: number, filter: Filter): Rgb {
  const reads = taps(width, to, filter);
  const out = new Uint8Array(height * to * 3);
  for (let y = 0, at = 0; y < height; y++)
    for (const { first, weights } of reads)
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (BITS - 1);
        for (let k = 0; k < weights.length; k++)
          sum += (data[(y * width + first + k) * 3 + c] as number) * (weights[k] as number);
        out[at++] = clip(Math.floor(sum / 2 ** BITS));
      }
  return { width: to, height, data: out };
}

/** Along y: [from, W, 3] → [to, W, 3]. */
function vertically({ width, height, data }: Rgb, to: number, filter: Filter): Rgb {
  const out = new Uint8Array(to * width * 3);
  const row = width * 3;
  for (const [y, { first, weights }] of taps(height, to, filter).entries())
    for (let x = 0; x < row; x++) {
      let sum = 2 ** (BITS - 1);
      for (let k = 0; k < weights.length; k++) sum += (data[(first + k) * row + x] as number) * (weights[k] as number);
      out[y * row + x] = clip(Math.floor(sum / 2 ** BITS));
    }
  return { width, height: to, data: out };
}

function nearest({ width, height, data }: Rgb, w: number, h: number): Rgb {
  const out = new Uint8Array(w * h * 3);
  for (let y = 0, at = 0; y < h; y++) {
    const from = Math.min(height - 1, Math.floor(((y + 0.5) * height) / h));
    for (let x = 0; x < w; x++) {
      const pixel = from * width + Math.min(width - 1, Math.floor(((x + 0.5) * width) / w));
      for (let c = 0; c < 3; c++) out[at++] = data[pixel * 3 + c] as number;
    }
  }
  return { width: w, height: h, data: out };
}

/**
 * Pillow's Image.resize of an 8-bit image, bit for bit: antialiased (the filter widens when the image shrinks), first along x, then along y, rounded
 * to bytes in between, weights in fixed point.
 */
export function resize(image: Rgb, width: number, height: number, filter: Filter | null): Rgb {
  if (image.width === width && image.height === height) return image;
  if (filter === null) return nearest(image, width, height);
  const wide = image.width === width ? image : horizontally(image, width, filter);
  return image.height === height ? wide : vertically(wide, height, filter);
}
