/** What stands before the first scan of a JPEG. */
export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Of Adobe's marker: 0 is as stored, 1 YCbCr, 2 YCCK; null without one. */
  readonly transform: number | null;
  readonly exif: Uint8Array | null;
  readonly xmp: string | null;
}

/** Bytes of one marker: `data` is what follows its length. */
export interface Segment {
  readonly marker: number;
  readonly start: number;
  readonly end: number;
  readonly data: Uint8Array;
}

export const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
export const START_OF_SCAN = 0xda;
const APP1 = 0xe1;
const APP14 = 0xee;
const XMP = 'http://ns.adobe.com/xap/1.0/\0';

/** The marker at `from` or after fill bytes there; null at the end of the image, or where none is. */
export function segmentAt(bytes: Uint8Array, from: number): Segment | null {
  let start = from;
  while (bytes[start] === 0xff && bytes[start + 1] === 0xff) start++;
  const marker = bytes[start + 1] ?? 0;
  if (bytes[start] !== 0xff || marker === 0 || marker === 0xd9) return null;
  if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) return { marker, start, end: start + 2, data: new Uint8Array() };
  const end = start + 2 + (((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0));
  return end < start + 4 || end > bytes.length ? null : { marker, start, end, data: bytes.subarray(start + 4, end) };
}

/** Null when there is no frame before the first scan. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | null {
  let frame: Uint8Array | null = null;
  let transform: number | null = null;
  let xmp: string | null = null;
  const exif: Uint8Array[] = [];
  for (let segment = segmentAt(bytes, 0); segment; segment = segmentAt(bytes, segment.end)) {
    const { marker, data } = segment;
    if (isFrame(marker)) frame ??= data;
    if (marker === APP14 && begins(data, 'Adobe')) transform = data[11] ?? null;
    if (marker === APP1 && begins(data, 'Exif\0')) exif.push(exif.length === 0 ? data : data.subarray(6));
    if (marker === APP1 && begins(data, XMP)) xmp = Buffer.from(data.subarray(XMP.length)).toString('latin1');
    if (marker === START_OF_SCAN) break;
  }
  if (!frame || frame.length < 6) return null;
  const view = new DataView(frame.buffer, frame.byteOffset);
  return {
    height: view.getUint16(1),
    width: view.getUint16(3),
    components: frame[5] as number,
    transform,
    exif: exif.length > 0 ? Buffer.concat(exif) : null,
    xmp,
  };
}

const begins = (data: Uint8Array, text: string): boolean =>
  Buffer.from(data.subarray(0, text.length)).toString('latin1') === text;
