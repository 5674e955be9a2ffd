import path from 'node:path';
import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import type { BlockPlace, PlainPlace, Stretch, WeightPlace } from '../graph/weightPlace.js';
import { type WeightFile, writeWeights, zeroBytes } from './weightFile.js';
import { type Storage, stretchesOf, type WeightPlan } from './weightPlan.js';

/**
 * Where ONNX Runtime finds each tensor. Plain tensors stay in the checkpoint; what cannot be used as it lies there (blocks of whole numbers,
 * re-ordered rows, types that are decoded) is put once into a temporary file, which is mapped like the checkpoint and removed with the model.
 */
export class WeightStore {
  /** Common ancestor of all files; places are relative to it. Real paths: links that leave it are refused. */
  readonly folder: string;

  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly plan: WeightPlan,
    private readonly file: WeightFile | null,
  ) {
    this.folder = commonAncestor([...checkpoint.files.map((f) => f.path), ...(file ? [file.path] : [])]);
  }

  /** Errors: DISK_FULL, those of reading. */
  static async open(
    checkpoint: Checkpoint,
    plan: WeightPlan,
    onProgress?: (done: number, total: number) => void,
  ): Promise<WeightStore> {
    return new WeightStore(checkpoint, plan, await writeWeights(checkpoint, plan, onProgress));
  }

  place = (tensor: string): WeightPlace => {
    const entry = this.checkpoint.tensors.get(tensor) as TensorEntry;
    const storage = this.plan.get(tensor);
    if (!storage) throw new RangeError(`no place was planned for ${tensor}`);
    if (storage.kind === 'blocks') return this.#blocks(entry, storage);
    if (storage.kind === 'decoded') return { dtype: 'F32', shape: entry.shape, ...this.#own(entry, storage, 'values') };
    return {
      dtype: entry.dtype as PlainPlace['dtype'],
      shape: entry.shape,
      location: this.#location((this.checkpoint.files[entry.file] as CheckpointFile).path),
      offset: entry.offset,
      bytes: entry.bytes,
    };
  };

  #blocks(entry: TensorEntry, storage: Storage & { kind: 'blocks' }): BlockPlace {
    const { integers, turned } = storage;
    const { run, bits } = integers;
    const file = this.file as WeightFile;
    // eight bits are 16 · (high − 8) + low
    const zeros = { location: this.#location(file.path), offset: file.zeros, bytes: zeroBytes(entry, run, turned) };
    const plane = (name: string, factor: 1 | 16, zeros: Stretch | null) => ({
      nibbles: this.#own(entry, storage, name),
      factor,
      zeros,
    });
    return {
      shape: entry.shape,
      turned,
      run,
      planes: bits === 4 ? [plane('plane0', 1, null)] : [plane('plane0', 1, zeros), plane('plane1', 16, null)],
      scales: this.#own(entry, storage, 'scales'),
      floors: integers.floors ? this.#own(entry, storage, 'floors') : null,
      accuracy: 1,
    };
  }

  #own(entry: TensorEntry, storage: Storage, stretch: string): Stretch {
    const file = this.file as WeightFile;
    const bytes = stretchesOf(entry, storage)[stretch] as number;
    return { location: this.#location(file.path), offset: file.offset(entry.name, stretch), bytes };
  }

  #location(file: string): string {
    return path.relative(this.folder, file).replaceAll(path.sep, '/');
  }

  async close(): Promise<void> {
    await this.file?.remove();
  }
}

export function commonAncestor(files: readonly string[]): string {
  const parts = files.map((file) => path.dirname(file).split(path.sep));
  const [first = [], ...others] = parts;
  const length = first.findIndex((part, i) => others.some((other) => other[i] !== part));
  return (length < 0 ? first : first.slice(0, length)).join(path.sep) || path.parse(files[0] ?? '/').root;
}
