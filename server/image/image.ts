import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { imageError } from './errors.js';
import { decodeJpeg } from './jpeg.js';
import { decodePng } from './png.js';
import type { Rgb } from './rgb.js';

const MOST_BYTES = 128 << 20;

/** What a file begins with, and who reads it. */
const kinds = [
  { magic: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], decode: decodePng },
  { magic: [0xff, 0xd8, 0xff], decode: decodeJpeg },
] as const;

/**
 * A PNG or JPEG as transformers' load_image gives it to a processor: turned upright as EXIF says, alpha dropped, everything made RGB of 8 bits the way
 * Pillow does. Errors: IMAGE_*, FILE_NOT_FOUND, FILE_UNREADABLE.
 */
export async function readImage(file: string): Promise<Rgb> {
  const bytes = await readWhole(file);
  const kind = kinds.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte));
  if (!kind) throw imageError('IMAGE_UNKNOWN', file, 'This is neither a PNG nor a JPEG.');
  return kind.decode(bytes, file);
}

async function readWhole(file: string): Promise<Uint8Array<ArrayBuffer>> {
  // without waiting: a named pipe would be opened when somebody writes to it
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: NodeJS.ErrnoException) => {
    const absent = cause.code === 'ENOENT' || cause.code === 'ENOTDIR';
    throw imageError(
      absent ? 'FILE_NOT_FOUND' : 'FILE_UNREADABLE',
      file,
      absent ? 'There is no such file.' : 'The file cannot be read.',
    );
  });
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw imageError('FILE_UNREADABLE', file, 'This is not a regular file.');
    if (info.size > MOST_BYTES)
      throw imageError('IMAGE_TOO_BIG', file, `The file has ${info.size} bytes; the limit is ${MOST_BYTES}.`);
    return new Uint8Array(await handle.readFile());
  } finally {
    await handle.close();
  }
}
