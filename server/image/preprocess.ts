import { LabError } from '../protocol/errors.js';
import { invalid, type Raw, settingsOf } from './processors.js';
import { filters, resize } from './resample.js';
import type { Rgb } from './rgb.js';
import { resizedTo, type Sides, sidesOf } from './sizes.js';

export interface Prepared {
  /** What the model looks at, before it is made numbers of. */
  readonly picture: Rgb;
  /** [3, H, W]. */
  readonly shape: readonly [number, number, number];
  readonly pixels: Float32Array<ArrayBuffer>;
}

/**
 * An image as preprocessor_config.json (or `image_processor` of processor_config.json) says: resized, cropped, rescaled and normalised in this order.
 * Follows the processors of transformers that work with Pillow (`…ImageProcessorPil`, the "slow" ones before): the fast ones resize with torchvision
 * and normalise in one step, and differ by a level here and there.
 * @param modelType `model_type` of config.json, for files that name no processor
 * Errors: PREPROCESSOR_*.
 */
export function prepare(image: Rgb, config: Raw | null, modelType: string | null = null): Prepared {
  const own = settingsOf(config, modelType);
  const resized = own.do_resize ? resizedAs(own, image) : image;
  const picture = own.do_center_crop ? centreCrop(resized, sidesOf('crop_size', own.crop_size)) : resized;
  const scale = own.do_rescale ? own.rescale_factor : 1;
  if (typeof scale !== 'number') throw invalid('rescale_factor', scale, 'a number');
  const mean = own.do_normalize ? perChannel('image_mean', own.image_mean) : [0, 0, 0];
  const std = own.do_normalize ? perChannel('image_std', own.image_std) : [1, 1, 1];
  const pixels = normalise(picture, scale, mean, std);
  const prepared: Prepared = { picture, shape: [3, picture.height, picture.width], pixels };
  return own.do_pad && own.pad_size !== undefined ? padded(prepared, sidesOf('pad_size', own.pad_size)) : prepared;
}

/** [height, width] that a square image is prepared to; null when nothing says it. */
export function usualSize(config: Raw | null, modelType: string | null = null): Sides | null {
  const black = { width: SMALL, height: SMALL, data: new Uint8Array(SMALL * SMALL * 3) };
  try {
    const [, height, width] = prepare(black, config && { ...config, do_normalize: false }, modelType).shape;
    return settingsOf(config, modelType).do_resize ? [height, width] : null;
  } catch (error) {
    if (error instanceof LabError) return null;
    throw error;
  }
}

const SMALL = 8;

function resizedAs(own: Raw, image: Rgb): Rgb {
  const filter = filters[own.resample as number];
  if (filter === undefined) throw invalid('resample', own.resample, 'a filter of Pillow, 0 to 5');
  const { size, crop } = resizedTo(own, [image.height, image.width]);
  const resized = resize(image, size[1], size[0], filter);
  return crop ? centreCrop(resized, crop) : resized;
}

/** The middle of an image; black around one that is too small. */
function centreCrop(image: Rgb, [height, width]: Sides): Rgb {
  const offset = (from: number, to: number) => (from >= to ? Math.floor((from - to) / 2) : -Math.ceil((to - from) / 2));
  const [top, left] = [offset(image.height, height), offset(image.width, width)];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const row = y + top;
    if (row < 0 || row >= image.height) continue;
    const from = Math.max(0, -left);
    const to = Math.min(width, image.width - left);
    const start = (row * image.width + from + left) * 3;
    data.set(image.data.subarray(start, start + Math.max(0, to - from) * 3), (y * width + from) * 3);
  }
  return { width, height, data };
}

/** One number for all channels, or one each. */
function perChannel(key: string, value: unknown): readonly [number, number, number] {
  const three = typeof value === 'number' ? [value, value, value] : value;
  if (!Array.isArray(three) || three.length !== 3 || !three.every(Number.isFinite)) throw invalid(key, value, 'three numbers');
  return three as [number, number, number];
}

/** ((byte · scale) − mean) / std in single precision, channel by channel: [3, H, W]. */
function normalise({ data }: Rgb, scale: number, mean: readonly number[], std: readonly number[]): Float32Array<ArrayBuffer> {
  const plane = data.length / 3;
  const pixels = new Float32Array(data.length);
  for (let c = 0; c < 3; c++) {
    const [m, s] = [Math.fround(mean[c] as number), Math.fround(std[c] as number)];
    for (let i = 0; i < plane; i++) pixels[c * plane + i] = Math.fround(Math.fround((data[i * 3 + c] as number) * scale) - m) / s;
  }
  return pixels;
}

/** Zeros to the right and below, up to a size. */
function padded({ picture, shape, pixels }: Prepared, [height, width]: Sides): Prepared {
  const [, h, w] = shape;
  if (height < h || width < w) throw invalid('pad_size', { height, width }, `at least the ${h}×${w} pixels that the image has`);
  const wide = new Float32Array(3 * height * width);
  const data = new Uint8Array(3 * height * width);
  for (let y = 0; y < h; y++) {
    data.set(picture.data.subarray(y * w * 3, (y + 1) * w * 3), y * width * 3);
    for (let c = 0; c < 3; c++) wide.set(pixels.subarray((c * h + y) * w, (c * h + y + 1) * w), (c * height + y) * width);
  }
  return { picture: { width, height, data }, shape: [3, height, width], pixels: wide };
}
