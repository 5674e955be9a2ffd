import { type DecodedPng, decode } from 'fast-png';
import { imageError } from './errors.js';
import type { Rgb } from './rgb.js';
import { checkSize } from './size.js';

/** Every kind of PNG as RGB. Errors: IMAGE_INVALID, IMAGE_TOO_BIG. */
export async function decodePng(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33) throw imageError('IMAGE_INVALID', file, 'The file ends inside its header.');
  checkSize(header.getUint32(16), header.getUint32(20), file);
  try {
    return toRgb(decode(bytes, { checkCrc: true }));
  } catch (cause) {
    throw imageError('IMAGE_INVALID', file, `The PNG cannot be read: ${(cause as Error).message}`);
  }
}

/** As Pillow's convert('RGB'): alpha is dropped, not blended. */
function toRgb(png: DecodedPng): Rgb {
  const { width, height, channels } = png;
  const sample = samplerOf(png);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const colour = png.palette?.[sample(y, x, 0)];
      if (png.palette && !colour) throw new Error('a pixel has a colour that the palette lacks');
      for (let c = 0; c < 3; c++) data[at++] = colour ? (colour[c] as number) : sample(y, x, channels < 3 ? 0 : c);
    }
  return { width, height, data };
}

/** One sample as 8 bits, or as an index of the palette. */
function samplerOf({ width, channels, depth, data, palette }: DecodedPng): (y: number, x: number, channel: number) => number {
  const at = (y: number, x: number, c: number) => data[(y * width + x) * channels + c] as number;
  if (depth === 8) return at;
  // Pillow takes the high byte of colours, but cuts 16-bit grey off at 255.
  if (depth === 16) return channels === 1 ? (y, x, c) => Math.min(at(y, x, c), 255) : (y, x, c) => at(y, x, c) >> 8;
  const rowBytes = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  return (y, x) => {
    const bit = x * depth;
    const byte = data[y * rowBytes + (bit >> 3)] as number;
    const value = (byte >> (8 - depth - (bit & 7))) & most;
    return palette ? value : (value * 255) / most;
  };
}
