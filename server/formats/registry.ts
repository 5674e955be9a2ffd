import type { Checkpoint, Format } from './checkpoint.js';
import { formatError } from './errors.js';
import { gguf } from './gguf.js';
import { openModelFolder } from './hfFolder.js';
import { pth } from './pth.js';
import { statPath, withFile } from './rangedFile.js';
import { safetensors } from './safetensors.js';

export const formats: readonly Format[] = [
  gguf, //
  pth,
  safetensors,
];

/** The format of a file by its name and first bytes, or null. */
export const formatOf = (path: string, firstBytes: Uint8Array): Format | null =>
  formats.find((format) => format.matches(path, firstBytes)) ?? null;

/** Opens a Hugging Face folder or a model file. Reads headers only. Throws coded errors with file and offset. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  if ((await statPath(path)).isDirectory()) return openModelFolder(path);
  const firstBytes = await withFile(path, (file) => file.read(0, Math.min(16, file.bytes)));
  const format = formatOf(path, firstBytes);
  if (format === null) throw formatError('FORMAT_UNKNOWN', path, 0, 'This is not a model file that Model Lab knows.');
  return format.open(path);
}
