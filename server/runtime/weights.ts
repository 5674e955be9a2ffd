import { rmSync } from 'node:fs';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { bindable, readTensor } from '../formats/read.js';
import type { WeightPlace } from '../graph/emit.js';
import { LabError } from '../protocol/errors.js';
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';

const ALIGN = 64;

const diskFull = (needed: number, free: number, folder: string) =>
  new LabError({
    code: 'DISK_FULL',
    message: `Decoding the quantised tensors needs ${gigabytes(needed)} in ${folder}, where ${gigabytes(free)} are free.`,
    hint: 'Free some space, or set the environment variable TMPDIR to a folder on a larger disk.',
  });

/**
 * Where ONNX Runtime finds each tensor. Plain tensors stay in the checkpoint; quantised and re-ordered ones are decoded once to fp32 in a
 * temporary file, which is mapped like the checkpoint itself and removed with the model.
 */
export class WeightStore {
  /** Common ancestor of all files; places are relative to it. Real paths: links that leave it are refused. */
  readonly folder: string;
  readonly #decoded: DecodedFile | null;

  private constructor(
    private readonly checkpoint: Checkpoint,
    decoded: DecodedFile | null,
  ) {
    this.#decoded = decoded;
    this.folder = commonAncestor([...checkpoint.files.map((f) => f.path), ...(decoded ? [decoded.path] : [])]);
  }

  /** `used`: the tensors that will be asked for. */
  static async open(
    checkpoint: Checkpoint,
    used: ReadonlySet<string>,
    onProgress?: (done: number, total: number) => void,
  ): Promise<WeightStore> {
    const rest = [...checkpoint.tensors.values()].filter((entry) => used.has(entry.name) && !bindable(entry));
    return new WeightStore(checkpoint, rest.length > 0 ? await decode(checkpoint, rest, onProgress) : null);
  }

  place = (tensor: string): WeightPlace => {
    const entry = this.checkpoint.tensors.get(tensor) as TensorEntry;
    const offset = this.#decoded?.offsets.get(tensor);
    const file = offset === undefined ? (this.checkpoint.files[entry.file]?.path as string) : (this.#decoded as DecodedFile).path;
    return {
      dtype: offset === undefined ? (entry.dtype as WeightPlace['dtype']) : 'F32',
      shape: entry.shape,
      location: path.relative(this.folder, file).replaceAll(path.sep, '/'),
      offset: offset ?? entry.offset,
      bytes: offset === undefined ? entry.bytes : sizeOf(entry.shape) * 4,
    };
  };

  async close(): Promise<void> {
    await this.#decoded?.remove();
  }
}

interface DecodedFile {
  readonly path: string;
  readonly offsets: ReadonlyMap<string, number>;
  remove(): Promise<void>;
}

async function decode(
  checkpoint: Checkpoint,
  entries: readonly TensorEntry[],
  onProgress?: (done: number, total: number) => void,
): Promise<DecodedFile> {
  const offsets = new Map<string, number>();
  let size = 0;
  for (const entry of entries) {
    offsets.set(entry.name, size);
    size += Math.ceil((sizeOf(entry.shape) * 4) / ALIGN) * ALIGN;
  }
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < size) throw diskFull(size, bavail * bsize, tmpdir());
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  removeAtExit(folder);
  try {
    const file = path.join(folder, 'decoded.f32');
    const handle = await open(file, 'w', 0o600);
    try {
      for (const [index, entry] of entries.entries()) {
        const values = await readTensor(checkpoint, entry);
        await handle.write(
          new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
          0,
          values.byteLength,
          offsets.get(entry.name),
        );
        onProgress?.(index + 1, entries.length);
      }
    } finally {
      await handle.close();
    }
    return { path: file, offsets, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

const folders = new Set<string>();

/** A process that ends without closing its models leaves no gigabytes behind. */
function removeAtExit(folder: string): void {
  if (folders.size === 0)
    process.once('exit', () => {
      for (const left of folders) rmSync(left, { recursive: true, force: true });
    });
  folders.add(folder);
}

function commonAncestor(files: readonly string[]): string {
  const parts = files.map((file) => path.dirname(file).split(path.sep));
  const [first = [], ...others] = parts;
  const length = first.findIndex((part, i) => others.some((other) => other[i] !== part));
  return (length < 0 ? first : first.slice(0, length)).join(path.sep) || path.parse(files[0] ?? '/').root;
}
