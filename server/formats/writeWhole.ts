import { randomUUID } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LabError } from '../protocol/errors.js';
import { formatError } from './errors.js';

/**
 * Replaces a file whole: a reader finds the old one or the new one, never a part. It is written beside its place (that of what a link leads to),
 * flushed, then renamed. Throws FILE_UNWRITABLE, also for what is no file, such as a device; and what `write` throws with a code of its own.
 */
export async function writeWhole(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  let unfinished = '';
  let file: FileHandle | null = null;
  try {
    const target = await realpath(path).catch(() => path);
    const info = await stat(target).catch(() => null);
    if (info?.isDirectory()) throw unwritable(path, 'EISDIR');
    if (info && !info.isFile()) throw unwritable(path, 'it is a device, a pipe or a socket');
    unfinished = join(dirname(target), `.${randomUUID()}.partial`);
    file = await open(unfinished, 'wx');
    await write(file);
    await file.sync();
    await file.close();
    await rename(unfinished, target);
  } catch (cause) {
    await file?.close().catch(() => undefined);
    if (file) await rm(unfinished, { force: true });
    if (cause instanceof LabError) throw cause;
    throw unwritable(path, (cause as NodeJS.ErrnoException).code ?? String(cause));
  }
}

const unwritable = (path: string, why: string) =>
  formatError('FILE_UNWRITABLE', path, null, `The file cannot be written (${why}).`);
