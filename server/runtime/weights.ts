import path from 'node:path';
import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import type { PlaceUse } from '../graph/emit.js';
import type { BlockPlace, PlainPlace, Plane, Stretch, WeightPlace } from '../graph/weightPlace.js';
import { noZeroBytes, type WeightFile, writeWeights } from './weightFile.js';
import { type Blocks, type Halves, type Storage, stretchesOf, type WeightPlan } from './weightPlan.js';

/**
 * Where ONNX Runtime finds each tensor. Plain tensors stay in the checkpoint; what cannot be used as it lies there (blocks of whole numbers,
 * values that are rounded, re-ordered rows, types that are decoded) is put once into a temporary file, which is mapped like the checkpoint and removed with the model.
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

  /** Where the rows of a tensor are gathered from, or what it is multiplied as. */
  place = (tensor: string, use?: PlaceUse): WeightPlace => {
    const entry = this.checkpoint.tensors.get(tensor) as TensorEntry;
    const planned = this.plan.get(tensor);
    const storage = planned?.[use ?? 'matrix'];
    if (!storage) throw new RangeError(`no place was planned for ${tensor}`);
    if (storage.kind === 'blocks') return this.#blocks(entry, storage);
    if (storage.kind === 'bytes') {
      const own = (stretch: string) => this.#own(entry, storage, stretch);
      return { shape: entry.shape, turned: storage.of.turned, codes: own('codes'), rowScales: own('rowScales') };
    }
    if (storage.kind === 'halves') return { shape: entry.shape, turned: storage.turned, ...this.#halves(entry, storage) };
    if (storage.kind === 'decoded') return { dtype: 'F32', shape: entry.shape, ...this.#own(entry, storage, 'values') };
    return { dtype: entry.dtype as PlainPlace['dtype'], shape: entry.shape, ...this.#inPlace(entry) };
  };

  #inPlace({ file, offset, bytes }: TensorEntry): Stretch {
    return { location: this.#location((this.checkpoint.files[file] as CheckpointFile).path), offset, bytes };
  }

  #halves(entry: TensorEntry, storage: Halves): Stretch & { readonly factor: number } {
    if (storage.inPlace) return { ...this.#inPlace(entry), factor: 1 };
    return { ...this.#own(entry, storage, 'values'), factor: (this.file as WeightFile).factor(storage) };
  }

  #blocks(entry: TensorEntry, storage: Blocks): BlockPlace {
    const { run, bits, turned, rounded, floors, zeros } = storage;
    const file = this.file as WeightFile;
    const plane = (name: string, bits: 4 | 8, factor: 1 | 16, zeros: Stretch | null): Plane => ({
      bits,
      codes: this.#own(entry, storage, name),
      factor,
      zeros,
    });
    // 16 · (high − 8) + low
    const none = { location: this.#location(file.path), offset: file.zeros, bytes: noZeroBytes(entry, storage) };
    const halves = () => [plane('plane0', 4, 1, none), plane('plane1', 4, 16, null)];
    return {
      shape: entry.shape,
      turned,
      run,
      planes: bits === 8 && !rounded ? halves() : [plane('plane0', bits, 1, zeros ? this.#own(entry, storage, 'zeros') : null)],
      scales: this.#own(entry, storage, 'scales'),
      floors: floors ? this.#own(entry, storage, 'floors') : null,
      accuracy: rounded ? 4 : 1,
    };
  }

  #own(entry: TensorEntry, storage: Storage, stretch: string): Stretch {
    const file = this.file as WeightFile;
    const bytes = stretchesOf(entry, storage)[stretch] as number;
    return { location: this.#location(file.path), offset: file.offset(storage, entry.name, stretch), bytes };
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
