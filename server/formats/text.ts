import { isUtf8 } from 'node:buffer';
import { formatError } from './errors.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes at the start that are valid UTF-8 as far as they go. */
function validPrefix(bytes: Uint8Array): number {
  // A prefix that cuts a character is invalid though nothing is wrong yet, so look back at most three bytes.
  const fineUpTo = (end: number) => [0, 1, 2, 3].find((back) => end >= back && isUtf8(bytes.subarray(0, end - back)));
  let good = 0;
  for (let bad = bytes.length; good + 1 < bad; ) {
    const middle = (good + bad) >>> 1;
    const back = fineUpTo(middle);
    if (back === undefined) bad = middle;
    else good = middle;
  }
  return good - (fineUpTo(good) ?? 0);
}

/** Strict UTF-8. Throws UTF8_INVALID with the offset of the first bad byte; `base` is where `bytes` start in the file. */
export function decodeText(bytes: Uint8Array, file: string, base: number, what: string): string {
  const text = decoder.decode(bytes);
  // Decoding replaces bad bytes by U+FFFD; only then is the exact and slower check needed.
  if (text.includes('\uFFFD') && !isUtf8(bytes))
    throw formatError('UTF8_INVALID', file, base + validPrefix(bytes), `${what} is not valid UTF-8.`);
  return text;
}
