import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { CheckpointFile } from './checkpoint.js';
import { formatError } from './errors.js';
import type { ExternalData } from './onnxTensor.js';
import { statPath } from './rangedFile.js';
import { quoted } from './tensorTable.js';

/**
 * The files that hold a model's external data. A location is a path below the model's folder (onnx.proto): one that is absolute or climbs is
 * refused, and a link may only lead below the folder or to where the model itself really lies, as in the Hugging Face cache.
 */
export class ExternalFiles {
  readonly #indices = new Map<string, number>();

  private constructor(
    private readonly model: string,
    private readonly roots: readonly string[],
    readonly files: CheckpointFile[],
  ) {}

  /** `files[0]` is the model itself. */
  static async open(model: string, own: CheckpointFile): Promise<ExternalFiles> {
    const folder = await realpath(dirname(resolve(model)));
    return new ExternalFiles(model, [folder, dirname(own.path)], [own]);
  }

  /** Index into `files`. Throws EXTERNAL_INVALID, SHARD_MISSING, FILE_UNREADABLE. */
  async index({ location, at }: ExternalData): Promise<number> {
    const known = this.#indices.get(location);
    if (known !== undefined) return known;
    const climbs = location.split(/[\\/]/).includes('..');
    if (climbs || isAbsolute(location) || /^[a-z]:|^[\\*]/i.test(location) || location.includes('\0'))
      throw this.#refuse(location, at, 'which is not a path below the folder of the model');
    const path = join(dirname(this.model), location);
    const real = await realpath(path).catch(() => null);
    if (real === null)
      throw formatError('SHARD_MISSING', path, null, `The model keeps weights in ${quoted(location)}, which is missing.`);
    if (!this.roots.some((root) => isBelow(root, real)))
      throw this.#refuse(location, at, 'a link that leads out of the folder of the model');
    const info = await statPath(real);
    if (!info.isFile()) throw formatError('FILE_UNREADABLE', path, null, 'This is not a regular file.');
    const same = this.files.findIndex((file) => file.path === real);
    const index = same >= 0 ? same : this.files.push({ path: real, bytes: info.size }) - 1;
    this.#indices.set(location, index);
    return index;
  }

  #refuse(location: string, at: number, why: string) {
    return formatError('EXTERNAL_INVALID', this.model, at, `A tensor lies in ${quoted(location)}, ${why}.`);
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !way.startsWith(`..${sep}`) && way !== '..' && !isAbsolute(way);
}
