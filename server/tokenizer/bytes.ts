import type { Aligned } from './alignment.js';

/** GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for U+0100 and up. */
const byteOfUnit = new Map<number, number>();
const unitOfByte = new Uint16Array(256);
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const unit = printable ? byte : next++;
  unitOfByte[byte] = unit;
  byteOfUnit.set(unit, byte);
}

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** The bytes a byte-level token stands for; a token outside the alphabet (an added one) stands for its own UTF-8. */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfUnit.get(token.charCodeAt(i));
    if (byte === undefined) return utf8(token);
    bytes[i] = byte;
  }
  return bytes;
}

/** Number of UTF-8 bytes of a code point; a lone surrogate becomes U+FFFD, three bytes. */
export const utf8Length = (codePoint: number): number =>
  codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;

/** The text in the byte-level alphabet: each unit is a byte and stands for the whole character it belongs to. */
export function toByteAlphabet(source: Aligned): Aligned {
  const bytes = utf8(source.text);
  const starts = new Int32Array(bytes.length);
  const ends = new Int32Array(bytes.length);
  let at = 0;
  for (let i = 0; i < source.text.length; ) {
    const codePoint = source.text.codePointAt(i) as number;
    const units = codePoint > 0xffff ? 2 : 1;
    const start = source.starts[i] as number;
    const end = source.ends[i + units - 1] as number;
    for (const stop = at + utf8Length(codePoint); at < stop; at++) {
      starts[at] = start;
      ends[at] = end;
    }
    i += units;
  }
  return { text: alphabetText(bytes), starts, ends };
}

/** For each of the `length` UTF-8 bytes of a text, the UTF-16 range of its character. */
export function charactersOf(text: string, length: number) {
  const starts = new Int32Array(length);
  const ends = new Int32Array(length);
  for (let i = 0, at = 0; i < text.length; ) {
    const codePoint = text.codePointAt(i) as number;
    const next = i + (codePoint > 0xffff ? 2 : 1);
    const stop = at + utf8Length(codePoint);
    starts.fill(i, at, stop);
    ends.fill(next, at, stop);
    at = stop;
    i = next;
  }
  return { starts, ends };
}

function alphabetText(bytes: Uint8Array): string {
  const units = Uint16Array.from(bytes, (byte) => unitOfByte[byte] as number);
  const parts: string[] = [];
  // Arguments go over the stack, which is not endless.
  for (let from = 0; from < units.length; from += 8192) parts.push(String.fromCharCode(...units.subarray(from, from + 8192)));
  return parts.join('');
}

/** Decodes joined tokens; U+FEFF is text like any other, and what is not UTF-8 becomes '�'. */
export function decodeUtf8(chunks: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
