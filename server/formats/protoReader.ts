import { formatError } from './errors.js';
import type { RangedFile } from './rangedFile.js';
import { decodeText } from './text.js';

/** Bytes kept in memory: what is longer than this is stepped over, never loaded. */
const windowBytes = 1 << 17;
/** A tag and a length at their longest. */
const headBytes = 20;
/** Of names and other texts; they fit the window. */
const maxText = 1 << 16;
/** Fields of one file: the biggest exports in use have a tenth of it. */
const maxFields = 1 << 21;

/** One field of a protobuf message (https://protobuf.dev/programming-guides/encoding). All positions are absolute. */
export interface ProtoField {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
  readonly wire: number;
  /** Where the tag begins. */
  readonly at: number;
  /** Payload: the bytes behind the length, or the scalar's own. */
  readonly from: number;
  readonly to: number;
  /** Of a varint, as two's complement; NaN where a double cannot hold it. */
  readonly value: number;
}

/** Walks the fields of messages in a file of any size through a small window. Errors name the byte. */
export class ProtoReader {
  #window = new Uint8Array(0);
  #base = 0;
  #fields = 0;

  constructor(readonly file: RangedFile) {}

  /** The field that begins at `at` of a message that ends at `end`. Throws HEADER_TRUNCATED, HEADER_INVALID, METADATA_TOO_BIG. */
  async field(at: number, end: number): Promise<ProtoField> {
    await this.#ensure(at, Math.min(at + headBytes, end));
    return this.#field(at, end);
  }

  /** The same when it is in memory already, else null: waiting costs more than reading. */
  fieldAtHand(at: number, end: number): ProtoField | null {
    return this.#holds(at, Math.min(at + headBytes, end)) ? this.#field(at, end) : null;
  }

  #field(at: number, end: number): ProtoField {
    if (++this.#fields > maxFields)
      throw formatError('METADATA_TOO_BIG', this.file.path, at, `The file has more than ${maxFields} fields.`);
    const tag = this.#varint(at, end);
    const number = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    if (!(number >= 1 && number < 2 ** 29)) throw this.#invalid(at, `There is no field ${number}.`);
    if (wire === 0) {
      const { value, to } = this.#varint(tag.to, end);
      return { number, wire, at, from: tag.to, to, value };
    }
    const [from, length] = wire === 2 ? this.#length(tag.to, end) : [tag.to, wire === 1 ? 8 : wire === 5 ? 4 : -1];
    if (length < 0) throw this.#invalid(at, `Field ${number} has the wire type ${wire}.`);
    if (length > end - from)
      throw formatError(
        'HEADER_TRUNCATED',
        this.file.path,
        at,
        `Field ${number} claims ${length} bytes; ${end - from} are left of its message.`,
      );
    return { number, wire, at, from, to: from + length, value: Number.NaN };
  }

  /** A copy of the bytes [from, to). Throws METADATA_TOO_BIG above `most`. */
  async bytes(from: number, to: number, most: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    if (to - from > most) throw formatError('METADATA_TOO_BIG', this.file.path, from, `${what} has ${to - from} bytes.`);
    if (this.#holds(from, to)) return this.#window.slice(from - this.#base, to - this.#base) as Uint8Array<ArrayBuffer>;
    return this.file.read(from, to - from);
  }

  async text({ from, to }: ProtoField, what: string): Promise<string> {
    return decodeText(await this.bytes(from, to, maxText, what), this.file.path, from, what);
  }

  /** A repeated number, which a writer may pack: one, or a few. */
  async numbers({ wire, from, to, value }: ProtoField, what: string): Promise<number[]> {
    if (wire === 0) return [value];
    const found: number[] = [];
    if (to - from > maxText) throw formatError('METADATA_TOO_BIG', this.file.path, from, `${what} has ${to - from} bytes.`);
    await this.#ensure(from, to);
    for (let at = from; at < to; ) {
      const next = this.#varint(at, to);
      found.push(next.value);
      at = next.to;
    }
    return found;
  }

  #length(at: number, end: number): readonly [from: number, length: number] {
    const { value, to } = this.#varint(at, end);
    if (!(value >= 0)) throw this.#invalid(at, 'A length is negative or too large.');
    return [to, value];
  }

  #varint(at: number, end: number): { readonly value: number; readonly to: number } {
    const bytes = this.#window;
    const last = Math.min(at + 10, end);
    let [low, high] = [0, 0];
    for (let to = at; to < last; to++) {
      const byte = bytes[to - this.#base] as number;
      const shift = (to - at) * 7;
      if (shift < 28) low += (byte & 127) * 2 ** shift;
      else high += (byte & 127) * 2 ** (shift - 28);
      if (byte < 128) return { value: signed(high, low), to: to + 1 };
    }
    if (last === end) throw formatError('HEADER_TRUNCATED', this.file.path, at, 'A number goes on after the end of its message.');
    throw this.#invalid(at, 'A number is longer than 64 bits.');
  }

  #holds(from: number, to: number): boolean {
    return from >= this.#base && to <= this.#base + this.#window.length;
  }

  /** Has [from, to) in the window, from where the file goes on in order. */
  async #ensure(from: number, to: number): Promise<void> {
    if (this.#holds(from, to)) return;
    this.#window = await this.file.read(from, Math.min(windowBytes, this.file.bytes - from));
    this.#base = from;
  }

  #invalid(at: number, message: string) {
    return formatError('HEADER_INVALID', this.file.path, at, message);
  }
}

/** high · 2^28 + low as a 64-bit integer in two's complement. */
function signed(high: number, low: number): number {
  const negative = high >= 2 ** 35 && high < 2 ** 36;
  const value = (negative ? high - 2 ** 36 : high) * 2 ** 28 + low;
  return high < 2 ** 36 && Number.isSafeInteger(value) ? value : Number.NaN;
}
