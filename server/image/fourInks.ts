import { isFrame, START_OF_SCAN, segmentAt } from './jpegHeader.js';

/**
 * A JPEG of four components (CMYK, YCCK) as one of three, without decoding it: in the entropy-coded data each component predicts only itself, so
 * that the bits of the others are the same without it. The codec, which knows three, then decodes all four in two images.
 */

interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
}

const DHT = 0xc4;
const DRI = 0xdd;
const KEPT = new Set([DHT, DRI, 0xdb]);

/**
 * The JPEG without component `drop`, marked by Adobe's transform (0: as stored, 1: YCbCr).
 * Throws an Error that says what is wrong with it, or what is unusual.
 */
export function withoutComponent(bytes: Uint8Array, drop: number, transform: 0 | 1): Uint8Array<ArrayBuffer> {
  const adobe = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform];
  const out: Uint8Array[] = [Uint8Array.of(0xff, 0xd8, ...adobe)];
  const tables = new Map<number, Huffman>();
  let frame: Frame | null = null;
  let interval = 0;
  for (let segment = segmentAt(bytes, 0); segment; ) {
    const { marker, data, start, end } = segment;
    let next = end;
    if (marker === DHT) readTables(data, tables);
    if (marker === DRI) interval = ((data[0] ?? 0) << 8) | (data[1] ?? 0);
    if (KEPT.has(marker)) out.push(bytes.subarray(start, end));
    else if (isFrame(marker)) {
      frame = readFrame(marker, data, drop);
      out.push(marked(marker, frameWithout(data, drop)));
    } else if (marker === START_OF_SCAN) {
      if (!frame) throw new Error('a scan stands before its frame');
      next = endOfScan(bytes, end);
      out.push(...scanWithout(data, bytes.subarray(end, next), { frame, tables, interval, drop }));
    }
    segment = segmentAt(bytes, next);
  }
  return new Uint8Array(Buffer.concat([...out, Uint8Array.of(0xff, 0xd9)]));
}

const marked = (marker: number, data: readonly number[]): Uint8Array =>
  Uint8Array.of(0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 0xff, ...data);

function readFrame(marker: number, data: Uint8Array, drop: number): Frame {
  const u16 = (at: number) => ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
  if (marker > 0xc2) throw new Error('it is neither baseline nor progressive');
  if (data.length < 18) throw new Error('its frame is cut short');
  const components = [0, 1, 2, 3].map((i) => {
    const sampling = data[7 + 3 * i] as number;
    return { id: data[6 + 3 * i] as number, h: sampling >> 4, v: sampling & 15 };
  });
  const largest = (side: 'h' | 'v', of: readonly Component[]) => Math.max(...of.map((each) => each[side]));
  const left = components.filter((_, i) => i !== drop);
  if (largest('h', left) !== largest('h', components) || largest('v', left) !== largest('v', components))
    throw new Error('only one of its inks is stored in full resolution');
  if (components.some(({ h, v }) => h < 1 || h > 4 || v < 1 || v > 4)) throw new Error('its frame has impossible factors');
  return { height: u16(1), width: u16(3), progressive: marker === 0xc2, components };
}

const frameWithout = (data: Uint8Array, drop: number): number[] => [
  ...data.subarray(0, 5),
  3,
  ...data.subarray(6, 18).filter((_, i) => Math.floor(i / 3) !== drop),
];

/** Where the next marker is that does not belong to the scan. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] !== 0 && !isRestart(bytes[at + 1]))) at++;
  return at;
}

const isRestart = (byte: number | undefined): boolean => byte !== undefined && byte >= 0xd0 && byte <= 0xd7;

interface Scan {
  readonly frame: Frame;
  readonly tables: ReadonlyMap<number, Huffman>;
  readonly interval: number;
  readonly drop: number;
}

/** Header and data of a scan without a component; nothing when it had no other. */
function scanWithout(header: Uint8Array, data: Uint8Array, { frame, tables, interval, drop }: Scan): Uint8Array[] {
  const count = header[0] ?? 0;
  const rest = [...header.subarray(1 + 2 * count)];
  const parts = Array.from({ length: count }, (_, i) => {
    const [id, selectors = 0] = [header[1 + 2 * i], header[2 + 2 * i]];
    const component = frame.components.findIndex((each) => each.id === id);
    if (component < 0 || rest.length < 3) throw new Error('a scan names a component that there is not');
    return { selectors, component, ...(frame.components[component] as Component) };
  });
  const left = parts.filter(({ component }) => component !== drop);
  if (left.length === 0) return [];
  const marker = marked(START_OF_SCAN, [left.length, ...left.flatMap(({ id, selectors }) => [id, selectors]), ...rest]);
  if (left.length === parts.length) return [marker, data];
  if (left.length === 1) throw new Error('its scans are of two inks');
  const refines = (rest[2] as number) >> 4 > 0;
  const tableOf = (id: number): Huffman => {
    const table = tables.get(id);
    if (!table) throw new Error('a scan names a Huffman table that there is not');
    return table;
  };
  const blocks = parts.flatMap(({ h, v, selectors, component }) => {
    const kept = component !== drop;
    if (frame.progressive && refines) return Array<Block>(h * v).fill((bits) => bits.copy(1, kept));
    const dc = tableOf(selectors >> 4);
    const ac = frame.progressive ? null : tableOf(16 | (selectors & 15));
    return Array<Block>(h * v).fill((bits) => copyBlock(bits, dc, ac, kept));
  });
  const units = (size: number, side: 'h' | 'v') =>
    Math.ceil(size / (8 * Math.max(...frame.components.map((each) => each[side]))));
  const total = units(frame.width, 'h') * units(frame.height, 'v');
  const bits = new Bits(data);
  for (let unit = 0; unit < total; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) bits.restart();
    for (const block of blocks) block(bits);
  }
  return [marker, bits.end()];
}

type Block = (bits: Bits) => void;

/** One block of 8 × 8: a difference, then (unless they have scans of their own) runs of zeros and what ends them. */
function copyBlock(bits: Bits, dc: Huffman, ac: Huffman | null, kept: boolean): void {
  bits.copy(bits.symbol(dc, kept), kept);
  for (let k = 1; ac && k < 64; k++) {
    const symbol = bits.symbol(ac, kept);
    const [run, size] = [symbol >> 4, symbol & 15];
    if (size === 0 && run < 15) return;
    k += run;
    bits.copy(size, kept);
  }
}

/** Code length and place of each symbol, by the length of its code. */
interface Huffman {
  readonly first: readonly number[];
  readonly counts: readonly number[];
  readonly offsets: readonly number[];
  readonly symbols: Uint8Array;
}

/** By class · 16 + number. */
function readTables(data: Uint8Array, tables: Map<number, Huffman>): void {
  for (let at = 0; at + 17 <= data.length; ) {
    const counts = [...data.subarray(at + 1, at + 17)];
    const [first, offsets]: [number[], number[]] = [[], []];
    let [code, offset] = [0, 0];
    for (const count of counts) {
      first.push(code);
      offsets.push(offset);
      code = (code + count) << 1;
      offset += count;
    }
    const id = data[at] as number;
    tables.set(((id >> 4) << 4) | (id & 15), { first, counts, offsets, symbols: data.subarray(at + 17, at + 17 + offset) });
    at += 17 + offset;
  }
}

/** Reads the bits of a scan and writes those that are kept. */
class Bits {
  #at = 0;
  #byte = 0;
  #left = 0;
  /** Every byte may be 0xff, which takes another. */
  readonly #out: Uint8Array;
  #length = 0;
  #held = 0;
  #count = 0;

  constructor(private readonly data: Uint8Array) {
    this.#out = new Uint8Array(2 * data.length + 2);
  }

  /** The next symbol; its code is copied. */
  symbol({ first, counts, offsets, symbols }: Huffman, kept: boolean): number {
    let code = 0;
    for (let length = 0; length < 16; length++) {
      code = (code << 1) | this.#next();
      const place = code - (first[length] as number);
      if (place < 0 || place >= (counts[length] as number)) continue;
      if (kept) this.#write(code, length + 1);
      return symbols[(offsets[length] as number) + place] ?? 0;
    }
    throw new Error('its data holds a code that no table has');
  }

  copy(count: number, kept: boolean): void {
    let value = 0;
    for (let i = 0; i < count; i++) value = (value << 1) | this.#next();
    if (kept) this.#write(value, count);
  }

  restart(): void {
    this.#left = 0;
    const marker = this.data[this.#at + 1];
    if (this.data[this.#at] !== 0xff || !isRestart(marker)) throw new Error('a restart marker is missing');
    this.#at += 2;
    this.#fill();
    this.#out[this.#length++] = 0xff;
    this.#out[this.#length++] = marker as number;
  }

  end(): Uint8Array {
    this.#fill();
    return this.#out.subarray(0, this.#length);
  }

  #next(): number {
    if (this.#left === 0) {
      const byte = this.data[this.#at++];
      if (byte === undefined) throw new Error('its data ends early');
      if (byte === 0xff && this.data[this.#at++] !== 0) throw new Error('its data ends early');
      this.#byte = byte;
      this.#left = 8;
    }
    this.#left--;
    return (this.#byte >> this.#left) & 1;
  }

  /** At most 16 bits. */
  #write(code: number, length: number): void {
    this.#held = (this.#held << length) | code;
    this.#count += length;
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = (this.#held >> this.#count) & 0xff;
      this.#out[this.#length++] = byte;
      if (byte === 0xff) this.#out[this.#length++] = 0;
    }
    this.#held &= (1 << this.#count) - 1;
  }

  /** Ones up to the next byte. */
  #fill(): void {
    const open = (8 - this.#count) % 8;
    this.#write((1 << open) - 1, open);
  }
}
