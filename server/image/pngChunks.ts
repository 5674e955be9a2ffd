import { inflateSync } from 'node:zlib';

/** The parts of a PNG that pictures are made of. */
export interface PngChunks {
  readonly width: number;
  readonly height: number;
  /** Bits a sample. */
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly kind: number;
  readonly interlaced: boolean;
  /** RGB a colour. */
  readonly palette: Uint8Array | null;
  /** Compressed, all IDAT in one. */
  readonly packed: Uint8Array;
  readonly exif: Uint8Array | null;
  readonly xmp: string | null;
}

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** Text chunks are inflated to this size at most. */
const MOST_TEXT = 1 << 20;

/** Takes a PNG apart and compares its checksums. Throws an Error that says what is wrong. */
export function readChunks(bytes: Uint8Array): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Pick<PngChunks, 'width' | 'height' | 'depth' | 'kind' | 'interlaced'> | null = null;
  let palette: Uint8Array | null = null;
  let exif: Uint8Array | null = null;
  let xmp: string | null = null;
  const packed: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > bytes.length) throw new Error(`the chunk at byte ${at} is cut short`);
    const type = latin1(bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4))
      throw new Error(`wrong checksum of ${type} at byte ${at}`);
    const data = bytes.subarray(at + 8, end - 4);
    if (at === 8 && type !== 'IHDR') throw new Error('it does not begin with its header');
    if (type === 'IHDR') header ??= readHeader(data);
    else if (type === 'PLTE') palette = data;
    else if (type === 'IDAT') packed.push(data);
    else if (type === 'eXIf') exif = data;
    else if (type === 'IEND') break;
    else {
      const [key, text] = textOf(type, data);
      if (key === 'Raw profile type exif') exif ??= ofRawProfile(text);
      if (key === 'XML:com.adobe.xmp') xmp = text;
    }
    at = end;
  }
  if (!header) throw new Error('it has no header');
  if (packed.length === 0) throw new Error('it has no image data');
  return { ...header, palette, packed: Buffer.concat(packed), exif, xmp };
}

function readHeader(data: Uint8Array): Pick<PngChunks, 'width' | 'height' | 'depth' | 'kind' | 'interlaced'> {
  if (data.length < 13) throw new Error('its header is cut short');
  const view = new DataView(data.buffer, data.byteOffset);
  const [depth, kind, , , interlace] = data.subarray(8, 13) as unknown as [number, number, number, number, number];
  if (!DEPTHS[kind]?.includes(depth)) throw new Error(`colour type ${kind} with ${depth} bits`);
  return { width: view.getUint32(0), height: view.getUint32(4), depth, kind, interlaced: interlace === 1 };
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Key and text of tEXt, zTXt and iTXt; empty for what is none of them or cannot be read. */
function textOf(type: string, data: Uint8Array): [key: string, text: string] {
  if (!/^[tzi](EXt|TXt)$/.test(type)) return ['', ''];
  const zero = (from: number) => (data.indexOf(0, from) < 0 ? data.length : data.indexOf(0, from));
  const key = zero(0);
  // iTXt: compressed?, method, language, translated key
  const start = type === 'tEXt' ? key + 1 : type === 'zTXt' ? key + 2 : zero(zero(key + 3) + 1) + 1;
  const compressed = type === 'zTXt' || (type === 'iTXt' && data[key + 1] === 1);
  try {
    const body = compressed ? inflateSync(data.subarray(start), { maxOutputLength: MOST_TEXT }) : data.subarray(start);
    return [latin1(data.subarray(0, key)), latin1(body)];
  } catch {
    return ['', ''];
  }
}

/** ImageMagick's way: a name, a length and hexadecimal digits, on lines of their own. */
const ofRawProfile = (text: string): Uint8Array => Buffer.from(text.split('\n').slice(3).join(''), 'hex');

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC[(crc ^ byte) & 0xff] as number);
  return ~crc >>> 0;
}
