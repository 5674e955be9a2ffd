import { constants, inflateSync } from 'node:zlib';
import { imageError } from './errors.js';
import { orientationOf, upright } from './orientation.js';
import { type PngChunks, readChunks } from './pngChunks.js';
import type { Rgb } from './rgb.js';
import { checkSize } from './size.js';

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column and row of each pass of Adam7, and its steps. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const WHOLE = [[0, 0, 1, 1]] as const;

/** Every kind of PNG as RGB, turned upright. Errors: IMAGE_INVALID, IMAGE_TOO_BIG. */
export async function decodePng(bytes: Uint8Array<ArrayBuffer>, file: string): Promise<Rgb> {
  const broken = (cause: unknown) => imageError('IMAGE_INVALID', file, `The PNG cannot be read: ${(cause as Error).message}.`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33) throw broken(new Error('it ends inside its header'));
  checkSize(header.getUint32(16), header.getUint32(20), file);
  try {
    const chunks = readChunks(bytes);
    return upright(toRgb(chunks), orientationOf(chunks.exif, chunks.xmp));
  } catch (cause) {
    throw broken(cause);
  }
}

/** As Pillow's convert('RGB'): alpha is dropped, not blended. */
function toRgb(png: PngChunks): Rgb {
  const { width, height, depth, kind } = png;
  const bits = depth * (CHANNELS[kind] as number);
  const passes = (png.interlaced ? ADAM7 : WHOLE)
    .map(([left, top, dx, dy]) => ({ left, top, dx, dy, w: Math.ceil((width - left) / dx), h: Math.ceil((height - top) / dy) }))
    .filter(({ w, h }) => w > 0 && h > 0);
  const rowBytes = (w: number) => Math.ceil((w * bits) / 8);
  const packed = inflate(
    png.packed,
    passes.reduce((sum, { w, h }) => sum + h * (1 + rowBytes(w)), 0),
  );
  const pixel = pixelOf(png);
  const data = new Uint8Array(width * height * 3);
  let at = 0;
  for (const { left, top, dx, dy, w, h } of passes) {
    const length = rowBytes(w);
    let above = new Uint8Array(length);
    for (let y = 0; y < h; y++, at += length + 1) {
      const row = packed.subarray(at + 1, at + 1 + length);
      unfilter(packed[at] as number, row, above, Math.max(1, bits >> 3));
      const place = ((top + y * dy) * width + left) * 3;
      if (depth === 8 && kind === 2 && dx === 1) data.set(row, place);
      else for (let x = 0; x < w; x++) pixel(row, x, data, place + x * dx * 3);
      above = row;
    }
  }
  return { width, height, data };
}

/** Exactly so many bytes; what follows them is passed over. */
function inflate(packed: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  const slack = 1 << 16;
  const out = inflateSync(packed, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: bytes + slack });
  if (out.length < bytes) throw new Error(`${out.length} of ${bytes} bytes of the image data are there`);
  return new Uint8Array(out.buffer, out.byteOffset, bytes) as Uint8Array<ArrayBuffer>;
}

/** In place; `step` is the distance to the same sample of the pixel before. */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array, step: number): void {
  const before = (from: Uint8Array, i: number) => (i < step ? 0 : (from[i - step] as number));
  const guess = (i: number): number => {
    if (filter === 1) return before(row, i);
    if (filter === 2) return above[i] as number;
    if (filter === 3) return (before(row, i) + (above[i] as number)) >> 1;
    return paeth(before(row, i), above[i] as number, before(above, i));
  };
  if (filter > 4) throw new Error(`a row has filter ${filter}`);
  for (let i = 0; filter > 0 && i < row.length; i++) row[i] = (row[i] as number) + guess(i);
}

function paeth(a: number, b: number, c: number): number {
  const da = Math.abs(b - c);
  const db = Math.abs(a - c);
  const dc = Math.abs(a + b - 2 * c);
  if (da <= db && da <= dc) return a;
  return db <= dc ? b : c;
}

/** Writes pixel x of a row as three bytes. */
function pixelOf({ kind, depth, palette }: PngChunks): (row: Uint8Array, x: number, out: Uint8Array, at: number) => void {
  const sample = sampleOf(depth, kind);
  const channels = CHANNELS[kind] as number;
  if (kind === 3) {
    if (!palette) throw new Error('it has no palette');
    const colours = new Uint8Array(768); // a colour that the palette lacks is black
    colours.set(palette.subarray(0, colours.length));
    return (row, x, out, at) => {
      const colour = sample(row, x) * 3;
      for (let c = 0; c < 3; c++) out[at + c] = colours[colour + c] as number;
    };
  }
  const scale = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  return (row, x, out, at) => {
    for (let c = 0; c < 3; c++) out[at + c] = sample(row, x * channels + (channels < 3 ? 0 : c)) * scale;
  };
}

/** Sample i of a row: 8 bits, or as few as it has. */
function sampleOf(depth: number, kind: number): (row: Uint8Array, i: number) => number {
  if (depth === 8) return (row, i) => row[i] as number;
  // Pillow takes the high byte of colours, but cuts 16-bit grey off at 255
  if (depth === 16 && kind === 0) return (row, i) => (row[2 * i] === 0 ? (row[2 * i + 1] as number) : 255);
  if (depth === 16) return (row, i) => row[2 * i] as number;
  const most = 2 ** depth - 1;
  return (row, i) => ((row[(i * depth) >> 3] as number) >> (8 - depth - ((i * depth) & 7))) & most;
}
