import { type FormatErrorCode, formatError } from './errors.js';
import { decodeText } from './text.js';

const maxDepth = 64;
const [quote, backslash, comma, colon, openObject, closeObject, openArray, closeArray] = [34, 92, 44, 58, 123, 125, 91, 93];
const literals = new Map([
  [116, 'true'],
  [102, 'false'],
  [110, 'null'],
]);
const numberPattern = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

export interface JsonDocument {
  readonly value: unknown;
  /** Byte offset in the file of each key of the outermost object. */
  readonly keyOffsets: ReadonlyMap<string, number>;
}

export interface JsonPlace {
  readonly file: string;
  /** Where the text starts in the file. */
  readonly base: number;
  /** Code of syntax errors. */
  readonly code: FormatErrorCode;
  /** What the text is, to begin the message with. */
  readonly what: string;
  /** Take Python's `Infinity` for a number: json.dump writes it, and Mamba-2's published configs hold it. */
  readonly infinity?: boolean;
}

/**
 * Strict JSON (RFC 8259) with the byte offset of what is wrong, which JSON.parse does not tell. Also refused: a repeated outer key
 * (JSON.parse keeps the last one silently), nesting deeper than 64, numbers that overflow to infinity, bad UTF-8.
 */
export function parseJson(bytes: Uint8Array, place: JsonPlace): JsonDocument {
  const text = decodeText(bytes, place.file, place.base, place.what);
  const scanner = new Scanner(place.infinity ? bytes.slice() : bytes, place);
  const keyOffsets = scanner.scan();
  return { value: JSON.parse(scanner.replaced ? new TextDecoder().decode(scanner.bytes) : text), keyOffsets };
}

const infinity = new TextEncoder().encode('Infinity');
/** Of the same length, and what JSON.parse reads as infinity. */
const overflow = new TextEncoder().encode('1e999999');

class Scanner {
  /** True when `bytes` is no longer what was given. */
  replaced = false;
  private at = 0;
  private readonly stack: number[] = [];
  private readonly keys = new Map<string, number>();

  constructor(
    readonly bytes: Uint8Array,
    private readonly place: JsonPlace,
  ) {}

  scan(): ReadonlyMap<string, number> {
    do this.value();
    while (this.next());
    this.space();
    if (this.at < this.bytes.length) this.fail('text after the end');
    return this.keys;
  }

  /** A scalar, or opens a container and goes on to its first scalar or its end. */
  private value(): void {
    for (;;) {
      this.space();
      const byte = this.bytes[this.at];
      if (byte === openObject || byte === openArray) {
        if (this.stack.length === maxDepth) this.fail(`nesting deeper than ${maxDepth}`);
        this.stack.push(byte);
        this.at++;
        this.space();
        if (this.bytes[this.at] === byte + 2) return; // '{' + 2 = '}' and '[' + 2 = ']'
        if (byte === openObject) this.key();
      } else {
        if (byte === quote) this.string();
        else this.literal();
        return;
      }
    }
  }

  /** Closes what ends here; true when another value follows. */
  private next(): boolean {
    while (this.stack.length > 0) {
      const open = this.stack.at(-1) as number;
      this.space();
      const byte = this.bytes[this.at];
      if (byte === comma) {
        this.at++;
        if (open === openObject) this.key();
        return true;
      }
      if (byte !== (open === openObject ? closeObject : closeArray))
        this.fail(`expected "," or "${open === openObject ? '}' : ']'}"`);
      this.at++;
      this.stack.pop();
    }
    return false;
  }

  private key(): void {
    this.space();
    const start = this.at;
    if (this.bytes[start] !== quote) this.fail('expected a key');
    this.string();
    if (this.stack.length === 1) {
      const name = JSON.parse(new TextDecoder().decode(this.bytes.subarray(start, this.at))) as string;
      const { file, base, what } = this.place;
      if (this.keys.has(name))
        throw formatError('NAME_DUPLICATE', file, base + start, `${what} has the key ${JSON.stringify(name)} twice.`);
      this.keys.set(name, base + start);
    }
    this.space();
    if (this.bytes[this.at] !== colon) this.fail('expected ":"');
    this.at++;
  }

  private string(): void {
    const { bytes } = this;
    for (this.at++; ; this.at++) {
      const byte = bytes[this.at];
      if (byte === undefined) this.fail('unfinished string');
      else if (byte === quote) break;
      else if (byte < 32) this.fail('control character in a string');
      else if (byte === backslash) this.escape();
    }
    this.at++;
  }

  private escape(): void {
    const letter = String.fromCharCode(this.bytes[this.at + 1] ?? 0);
    const digits = String.fromCharCode(...this.bytes.subarray(this.at + 2, this.at + 6));
    if (letter === 'u' ? !/^[0-9a-fA-F]{4}$/.test(digits) : !'"\\/bfnrt'.includes(letter)) this.fail('unknown escape');
    this.at += letter === 'u' ? 5 : 1;
  }

  private literal(): void {
    const { bytes, at } = this;
    const word = literals.get(bytes[at] ?? 0);
    if (word !== undefined) {
      if (!Array.from(word).every((letter, i) => bytes[at + i] === letter.charCodeAt(0))) this.fail('unknown word');
      this.at += word.length;
      return;
    }
    if (this.place.infinity && this.infinite()) return;
    let end = at;
    while (end - at < 400 && '+-.0123456789eE'.includes(String.fromCharCode(bytes[end] ?? 0))) end++;
    const text = String.fromCharCode(...bytes.subarray(at, end));
    if (!numberPattern.test(text)) this.fail('expected a value (JSON has no NaN or Infinity)');
    if (!Number.isFinite(Number(text))) this.fail('number out of range');
    this.at = end;
  }

  /** Infinity, which is replaced by a number too large. */
  private infinite(): boolean {
    if (!infinity.every((letter, i) => this.bytes[this.at + i] === letter)) return false;
    this.bytes.set(overflow, this.at);
    this.replaced = true;
    this.at += infinity.length;
    return true;
  }

  private space(): void {
    for (let byte = this.bytes[this.at]; byte === 32 || byte === 10 || byte === 13 || byte === 9; byte = this.bytes[this.at])
      this.at++;
  }

  private fail(problem: string): never {
    const { file, base, code, what } = this.place;
    const ended = this.at >= this.bytes.length;
    throw formatError(code, file, base + this.at, `${what} is not valid JSON: ${ended ? 'it ends too early' : problem}.`);
  }
}
