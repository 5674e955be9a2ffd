import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { once } from '../protocol/once.js';
import { imageError } from './errors.js';
import { withoutComponent } from './fourInks.js';
import { readJpegHeader } from './jpegHeader.js';
import { orientationOf, upright } from './orientation.js';
import type { Rgb } from './rgb.js';
import { checkSize } from './size.js';

type Decode = (bytes: ArrayBuffer, options: { readonly preserveOrientation: boolean }) => Promise<ImageBytes | null>;

/** Its types leave the second argument out. */
type Init = (module: WebAssembly.Module, options: { readonly printErr: (line: string) => void }) => Promise<void>;

interface ImageBytes {
  readonly width: number;
  readonly height: number;
  /** RGBA. */
  readonly data: Uint8ClampedArray;
}

/** What the codec says of the file at hand. */
const complaints: string[] = [];
let decoder = once(load);
let decoding: Promise<unknown> = Promise.resolve();

/**
 * Baseline and progressive JPEGs, in colour, grey or four inks, by libjpeg-turbo's own arithmetic, so that every pixel is the one Pillow has; turned
 * upright. Errors: IMAGE_INVALID, IMAGE_UNSUPPORTED, IMAGE_TOO_BIG.
 */
export async function decodeJpeg(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const header = readJpegHeader(bytes);
  if (!header) throw imageError('IMAGE_INVALID', file, 'The JPEG has no frame header.');
  const { width, height, components, transform, exif, xmp } = header;
  checkSize(width, height, file);
  const image = components === 4 ? await ofInks(bytes, transform === 2, file) : await pixelsOf(bytes, file);
  return upright(image, orientationOf(exif, xmp));
}

/** One after another: the codec says what it complains of, not of which file. */
function pixelsOf(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const pixels = decoding.then(() => decoded(bytes, file));
  decoding = pixels.catch(() => undefined);
  return pixels;
}

async function decoded(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const decode = await decoder();
  complaints.length = 0;
  const image = await decode(bytes.slice().buffer, { preserveOrientation: false }).catch(() => null);
  const damage = complaints.find((line) => image === null || line.startsWith('Premature end'));
  if (image === null) decoder = once(load); // an aborted codec is not used again
  if (image === null || damage !== undefined) {
    const code = /not implemented|unsupported/i.test(damage ?? '') ? 'IMAGE_UNSUPPORTED' : 'IMAGE_INVALID';
    throw imageError(code, file, `The JPEG cannot be read: ${damage ?? 'no image in it'}`);
  }
  const data = new Uint8Array(image.width * image.height * 3);
  for (let at = 0, from = 0; at < data.length; from++)
    for (let c = 0; c < 3; c++) data[at++] = image.data[from * 4 + c] as number;
  return { width: image.width, height: image.height, data };
}

/** Four inks as Pillow makes RGB of them: Adobe's way, in which all that is stored is inverted. */
async function ofInks(bytes: Uint8Array<ArrayBuffer>, isYcck: boolean, file: string): Promise<Rgb> {
  const without = (drop: number, transform: 0 | 1) => {
    try {
      return withoutComponent(bytes, drop, transform);
    } catch (cause) {
      throw imageError('IMAGE_UNSUPPORTED', file, `This JPEG of four inks cannot be read: ${(cause as Error).message}.`);
    }
  };
  const colours = await pixelsOf(without(3, isYcck ? 1 : 0), file);
  const { data: black } = await pixelsOf(without(1, 0), file);
  const data = colours.data.map((stored, i) => {
    const light = black[Math.floor(i / 3) * 3 + 2] as number;
    const product = (isYcck ? stored : 255 - stored) * light + 128;
    return light - (((product >> 8) + product) >> 8);
  });
  return { ...colours, data };
}

/** The codec's code, compiled when the first JPEG is read. */
const compiled = once(async () => {
  const beside = fileURLToPath(new URL('./mozjpeg_dec.wasm', import.meta.url));
  const name = '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
  const file = existsSync(beside) ? beside : createRequire(import.meta.url).resolve(name);
  return WebAssembly.compile(await readFile(file));
});

/** A codec with a memory of its own. */
async function load(): Promise<Decode> {
  const { default: decode, init } = await import('@jsquash/jpeg/decode.js');
  // it makes its results with the browser's class
  globalThis.ImageData ??= class {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  } as unknown as typeof ImageData;
  await (init as Init)(await compiled(), { printErr: (line) => complaints.push(line) });
  return decode as unknown as Decode;
}
