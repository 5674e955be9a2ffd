import { LabError } from '../protocol/errors.js';
import { filters, resize } from './resample.js';
import type { Rgb } from './rgb.js';

type Raw = Readonly<Record<string, unknown>>;

const invalid = (key: string, value: unknown, expected: string) =>
  new LabError({
    code: 'PREPROCESSOR_INVALID',
    message: `preprocessor_config.json: ${key} is ${JSON.stringify(value) ?? 'missing'}, expected ${expected}.`,
    hint: `Correct ${key}; the model's page says what it should be. Or prepare the image yourself and give pixel_values.`,
  });

const missing = () =>
  new LabError({
    code: 'PREPROCESSOR_MISSING',
    message: 'There is no preprocessor_config.json beside these weights, so nobody knows how this model wants its images.',
    hint: 'Put it into the same folder, or prepare the image yourself and give pixel_values.',
  });

const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const openAi = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
const always = { do_resize: true, do_rescale: true, do_normalize: true, rescale_factor: 1 / 255 };
const cropped = { size: { shortest_edge: 224 }, do_center_crop: true, crop_size: { height: 224, width: 224 }, resample: 3 };
const square = { height: 224, width: 224 };

/** What each processor of transformers does where its file is silent. */
const defaults: Readonly<Record<string, Raw>> = {
  ViT: { ...always, ...half, size: square, resample: 2 },
  CLIP: { ...always, ...openAi, ...cropped, wholeSize: 'shortest_edge' },
  Bit: { ...always, ...openAi, ...cropped, wholeSize: 'shortest_edge' },
  Siglip: { ...always, ...half, size: square, resample: 3, wholeSize: 'shortest_edge' },
};

/** Keys that decide everything: a processor nobody knows must say them itself. */
const DECIDED = ['do_resize', 'do_rescale', 'do_normalize'];

/** The file over the defaults of its processor. Errors: PREPROCESSOR_*. */
function settings(config: Raw | null): Raw {
  if (config === null) throw missing();
  const nested = config.image_processor;
  const own = typeof nested === 'object' && nested !== null ? (nested as Raw) : config;
  const type = own.image_processor_type ?? own.feature_extractor_type;
  const kind = typeof type === 'string' ? type.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '') : '';
  const known = defaults[kind];
  const undecided = DECIDED.find((key) => typeof own[key] !== 'boolean');
  if (!known && undecided)
    throw invalid(undecided, own[undecided], `true or false, since ${kind || 'the processor'} has no known defaults`);
  for (const key of ['do_pad', 'do_splitting', 'crop_pct'])
    if (own[key]) throw invalid(key, own[key], 'nothing: Model Lab cannot prepare such images yet');
  return { rescale_factor: 1 / 255, ...known, ...own };
}

const isSide = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= 1 << 15;

/** {height, width} or what stands for it. */
function sidesOf(key: string, value: unknown): [number, number] {
  if (isSide(value)) return [value, value];
  const { height, width } = (value ?? {}) as Raw;
  if (!isSide(height) || !isSide(width)) throw invalid(key, value, 'height and width');
  return [height, width];
}

/** [height, width] an image is resized to. */
function resizedTo({ size, wholeSize }: Raw, { width, height }: Rgb): [number, number] {
  const asked = isSide(size) && wholeSize === 'shortest_edge' ? { shortest_edge: size } : size;
  const { shortest_edge: shortest, longest_edge: longest } = (typeof asked === 'object' && asked !== null ? asked : {}) as Raw;
  if (shortest === undefined || shortest === null) return sidesOf('size', asked);
  if (!isSide(shortest)) throw invalid('size', size, 'a whole number of pixels');
  const [short, long] = width <= height ? [width, height] : [height, width];
  const turned = (a: number, b: number): [number, number] => (width <= height ? [b, a] : [a, b]);
  if (longest === undefined || longest === null) return turned(shortest, Math.trunc((shortest * long) / short));
  if (!isSide(longest)) throw invalid('size', size, 'a whole number of pixels');
  if ((long / short) * shortest <= longest) return turned(shortest, Math.trunc((shortest * long) / short));
  const exact = (longest * short) / long;
  return turned(Math.round(exact), Math.trunc((exact * long) / short));
}

/** The middle of an image; black around one that is too small. */
function centreCrop(image: Rgb, height: number, width: number): Rgb {
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
 * and normalise in one step, and differ by a level here and there. Errors: PREPROCESSOR_*.
 */
export function prepare(image: Rgb, config: Raw | null): Prepared {
  const own = settings(config);
  const filter = filters[own.resample as number];
  if (own.do_resize && filter === undefined) throw invalid('resample', own.resample, 'a filter of Pillow, 0 to 5');
  const [height, width] = own.do_resize ? resizedTo(own, image) : [image.height, image.width];
  const resized = resize(image, width, height, filter ?? null);
  const picture = own.do_center_crop ? centreCrop(resized, ...sidesOf('crop_size', own.crop_size)) : resized;
  const scale = own.do_rescale ? own.rescale_factor : 1;
  if (typeof scale !== 'number') throw invalid('rescale_factor', scale, 'a number');
  const mean = own.do_normalize ? perChannel('image_mean', own.image_mean) : [0, 0, 0];
  const std = own.do_normalize ? perChannel('image_std', own.image_std) : [1, 1, 1];
  return { picture, shape: [3, picture.height, picture.width], pixels: normalise(picture, scale, mean, std) };
}

/** [height, width] that a square image is prepared to; null when nothing says it. */
export function usualSize(config: Raw | null): readonly [number, number] | null {
  const black = { width: SMALL, height: SMALL, data: new Uint8Array(SMALL * SMALL * 3) };
  try {
    const [, height, width] = prepare(black, { ...config, do_normalize: false }).shape;
    return config && settings(config).do_resize ? [height, width] : null;
  } catch (error) {
    if (error instanceof LabError) return null;
    throw error;
  }
}

const SMALL = 8;

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
