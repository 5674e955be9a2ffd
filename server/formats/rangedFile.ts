import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { formatError } from './errors.js';
import { type MountedFile, mountedFile, mountedFolder } from './mounts.js';

const notFound = (path: string) => formatError('FILE_NOT_FOUND', path, null, 'There is no such file or folder.');

const unreadable = (path: string, cause: unknown) => {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  return errno === 'ENOENT' || errno === 'ENOTDIR'
    ? notFound(path)
    : formatError('FILE_UNREADABLE', path, null, `The file cannot be read (${errno}).`);
};

export interface PathStat {
  readonly size: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** stat, with coded errors: FILE_NOT_FOUND, FILE_UNREADABLE. */
export async function statPath(path: string): Promise<PathStat> {
  const mounted = mountedFile(path);
  if (mounted) return { size: mounted.bytes, isFile: () => true, isDirectory: () => false };
  if (mounted === null && mountedFolder(path)) return { size: 0, isFile: () => false, isDirectory: () => true };
  if (mounted === null) throw notFound(path);
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Links resolved, because ONNX Runtime refuses external data behind a link that leaves the model's folder. */
export async function resolvePath(path: string): Promise<string> {
  if (mountedFile(path)) return path;
  try {
    return await realpath(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** A file read by range; nothing reads one whole. Errors carry `path` as given. */
export class RangedFile {
  private constructor(
    readonly path: string,
    readonly bytes: number,
    private readonly handle: FileHandle | MountedFile,
  ) {}

  static async open(path: string): Promise<RangedFile> {
    // Checked before opening: opening a named pipe would wait for a writer for ever.
    const { size } = await statFile(path);
    const mounted = mountedFile(path);
    if (mounted) return new RangedFile(path, size, mounted);
    try {
      return new RangedFile(path, size, await open(path, 'r'));
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  /** Exactly `length` bytes in a buffer of their own. Throws HEADER_TRUNCATED past the end. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset + length > this.bytes)
      throw formatError(
        'HEADER_TRUNCATED',
        this.path,
        this.bytes,
        `Expected ${length} bytes at offset ${offset}; the file has ${this.bytes}.`,
      );
    const buffer = new Uint8Array(length);
    await this.readInto(buffer, offset);
    return buffer;
  }

  async readInto(buffer: Uint8Array, offset: number): Promise<void> {
    const { handle } = this;
    if (!('fd' in handle)) return handle.read(buffer, offset);
    for (let done = 0; done < buffer.length; ) {
      const { bytesRead } = await handle
        .read(buffer, done, Math.min(buffer.length - done, 1 << 30), offset + done)
        .catch((cause) => {
          throw unreadable(this.path, cause);
        });
      if (bytesRead === 0)
        throw formatError('HEADER_TRUNCATED', this.path, offset + done, 'The file became shorter while it was read.');
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    if ('fd' in this.handle) await this.handle.close();
  }
}

async function statFile(path: string) {
  const info = await statPath(path);
  if (!info.isFile()) throw formatError('FILE_UNREADABLE', path, null, 'This is not a regular file.');
  return info;
}

export async function withFile<T>(path: string, use: (file: RangedFile) => Promise<T>): Promise<T> {
  const file = await RangedFile.open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
