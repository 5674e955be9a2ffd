import type { Rgb } from './rgb.js';

/** EXIF: how the stored picture is to be turned, 1 to 8. */
const ORIENTATION = 0x112;
const SHORT = 3;
const LONG = 4;

/** What a file says about turning it, as Pillow reads it: its EXIF record, else its XMP packet; 1 when neither says anything. */
export function orientationOf(exif: Uint8Array | null, xmp: string | null): number {
  const said = exif && ofExif(exif);
  return said ?? Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? '')?.[1] ?? 1);
}

/** The tag in the first directory of a TIFF structure; null where there is none that can be read. */
function ofExif(record: Uint8Array): number | null {
  let start = 0;
  for (let n = 0; n < 2 && isExif(record, start); n++) start += EXIF.length;
  const view = new DataView(record.buffer, record.byteOffset + start, record.length - start);
  const u16 = (at: number) => view.getUint16(at, little);
  const u32 = (at: number) => view.getUint32(at, little);
  if (view.byteLength < 8) return null;
  const little = view.getUint16(0) === 0x4949;
  if ((!little && view.getUint16(0) !== 0x4d4d) || u16(2) !== 42) return null;
  const directory = u32(4);
  if (directory + 2 > view.byteLength) return null;
  let found: number | null = null;
  for (let at = directory + 2, left = u16(directory); left > 0 && at + 12 <= view.byteLength; at += 12, left--) {
    if (u16(at) !== ORIENTATION || u32(at + 4) !== 1) continue;
    const type = u16(at + 2);
    if (type === SHORT || type === LONG) found = type === SHORT ? u16(at + 8) : u32(at + 8);
  }
  return found;
}

const EXIF = Uint8Array.of(0x45, 0x78, 0x69, 0x66, 0, 0);
const isExif = (bytes: Uint8Array, at: number): boolean => EXIF.every((byte, i) => bytes[at + i] === byte);

/** Where rows and columns of the stored picture go backwards, and from where on they change places. */
const BACK_ROWS = new Set([3, 4, 6, 7]);
const BACK_COLUMNS = new Set([2, 3, 7, 8]);
const SWAPPED = 5;

/** The picture as it is to be seen. */
export function upright(image: Rgb, orientation: number): Rgb {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, data } = image;
  const swapped = orientation >= SWAPPED;
  const [w, h] = swapped ? [height, width] : [width, height];
  const out = new Uint8Array(data.length);
  for (let y = 0, at = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const [r, c] = swapped ? [x, y] : [y, x];
      const row = BACK_ROWS.has(orientation) ? height - 1 - r : r;
      const column = BACK_COLUMNS.has(orientation) ? width - 1 - c : c;
      const from = (row * width + column) * 3;
      for (let channel = 0; channel < 3; channel++) out[at++] = data[from + channel] as number;
    }
  return { width: w, height: h, data: out };
}
