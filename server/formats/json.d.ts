import { type FormatErrorCode } from './errors.js';
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
}
/**
 * Strict JSON (RFC 8259) with the byte offset of what is wrong, which JSON.parse does not tell. Also refused: a repeated outer key
 * (JSON.parse keeps the last one silently), nesting deeper than 64, numbers that overflow to infinity, bad UTF-8.
 */
export declare function parseJson(bytes: Uint8Array, place: JsonPlace): JsonDocument;
