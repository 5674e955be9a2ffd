import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { imageError } from './errors.js';
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
let decoder: Promise<Decode> | null = null;
let compiled: Promise<WebAssembly.Module> | null = null;

/**
 * Baseline and progressive JPEGs, in colour or grey, by libjpeg-turbo's own arithmetic, so that every pixel is the one Pillow has; turned
 * upright. Errors: IMAGE_INVALID, IMAGE_UNSUPPORTED, IMAGE_TOO_BIG.
 */
export async function decodeJpeg(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const { width, height, components } = frameOf(bytes, file);
  checkSize(width, height, file);
  if (components === 4) throw imageError('IMAGE_UNSUPPORTED', file, 'This JPEG has four inks (CMYK).');
  decoder ??= load();
  const decode = await decoder;
  complaints.length = 0;
  const image = await decode(bytes.slice().buffer, { preserveOrientation: true }).catch(() => null);
  const damage = complaints.find((line) => image === null || line.startsWith('Premature end'));
  if (image === null) decoder = null; // an aborted codec is not used again
  if (image === null || damage !== undefined)
    throw imageError('IMAGE_INVALID', file, `The JPEG cannot be read: ${damage ?? 'no image in it'}`);
  const data = new Uint8Array(image.width * image.height * 3);
  for (let i = 0; i < data.length; i++) data[i] = image.data[Math.floor(i / 3) * 4 + (i % 3)] as number;
  return { width: image.width, height: image.height, data };
}

/** A codec with a memory of its own; its code is compiled when the first JPEG is read. */
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
  const beside = fileURLToPath(new URL('./mozjpeg_dec.wasm', import.meta.url));
  const name = '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
  const file = existsSync(beside) ? beside : createRequire(import.meta.url).resolve(name);
  compiled ??= readFile(file).then((wasm) => WebAssembly.compile(wasm));
  await (init as Init)(await compiled, { printErr: (line) => complaints.push(line) });
  return decode as unknown as Decode;
}

/** What the frame header says, before anything is decoded. */
function frameOf(bytes: Uint8Array, file: string): { width: number; height: number; components: number } {
  const u16 = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  for (let at = 2; at + 9 < bytes.length; ) {
    const marker = bytes[at + 1] as number;
    if (bytes[at] !== 0xff) break;
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return { height: u16(at + 5), width: u16(at + 7), components: bytes[at + 9] as number };
    // fill bytes, and markers without a length
    at += marker === 0xff ? 1 : marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8) ? 2 : 2 + u16(at + 2);
  }
  throw imageError('IMAGE_INVALID', file, 'The JPEG has no frame header.');
}
