import { sizeOf } from '../tensor/tensor.js';
import type { Checkpoint, CheckpointFile, TensorEntry } from './checkpoint.js';
import type { Dtype } from './dtype.js';
import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';
import { RangedFile, withFile } from './rangedFile.js';
import { quoted } from './tensorTable.js';

/** Stored bytes decoded at a time: bounds memory and stays in the cache. */
const slabBytes = 4 << 20;
/** Of one read: 8 GB as fp32. */
const maxValues = 2 ** 31;

/** Half-open range of rows: a row is everything behind the first axis. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

/**
 * True when ONNX Runtime can use the bytes where they are (external data: file, offset, length): F32, F16 or BF16 in canonical order
 * and at their own alignment.
 */
export const bindable = (entry: TensorEntry): boolean =>
  ['F32', 'F16', 'BF16'].includes(entry.dtype) &&
  entry.permuteRows === null &&
  !entry.transpose &&
  entry.restore === null &&
  entry.unpack === null &&
  entry.offset % (entry.dtype === 'F32' ? 4 : 2) === 0;

/** Fills `out` with the values of `bytes`, which hold whole blocks. Throws DTYPE_UNDECODABLE, DTYPE_UNKNOWN. */
export const decodeBytes = (dtype: string, bytes: Uint8Array, out: Float32Array): void =>
  decoderOf(dtype, '', null).decode(bytes, out);

/** Canonical values of `entry`, or of some of its rows, as fp32 in row-major order. Throws ROWS_INVALID, TENSOR_TOO_BIG, DTYPE_UNDECODABLE. */
export async function readTensor(checkpoint: Checkpoint, entry: TensorEntry, rows?: Rows): Promise<Float32Array> {
  const reader = await TensorReader.open(checkpoint, entry);
  try {
    if (rows === undefined) return await reader.elements(0, sizeOf(entry.shape));
    const height = entry.shape[0] ?? 1;
    if (!(rows.from >= 0 && rows.from <= rows.to && rows.to <= height))
      throw formatError(
        'ROWS_INVALID',
        reader.path,
        null,
        `Rows ${rows.from}…${rows.to} of ${quoted(entry.name)}, which has ${height}.`,
      );
    const width = sizeOf(entry.shape.slice(1));
    return await reader.elements(rows.from * width, rows.to * width);
  } finally {
    await reader.close();
  }
}

/** The values of those of some tensors that are there, by name. */
export async function readTensors(checkpoint: Checkpoint, names: Iterable<string>): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const name of names) {
    const entry = checkpoint.tensors.get(name);
    if (entry) values.set(name, await readTensor(checkpoint, entry));
  }
  return values;
}

/** The values of `entry` as little-endian bytes of its own dtype, in a buffer of their own. */
export const readRaw = async (checkpoint: Checkpoint, entry: TensorEntry): Promise<Uint8Array<ArrayBuffer>> => {
  const stored = await readPlace(checkpoint, entry);
  return entry.unpack ? entry.unpack(stored, await besideOf(checkpoint, entry)) : stored;
};

const readPlace = (checkpoint: Checkpoint, { file, offset, bytes }: Pick<TensorEntry, 'file' | 'offset' | 'bytes'>) =>
  withFile((checkpoint.files[file] as CheckpointFile).path, (opened) => opened.read(offset, bytes));

const besideOf = async (checkpoint: Checkpoint, { beside }: TensorEntry): Promise<Uint8Array> =>
  beside ? await readPlace(checkpoint, beside) : new Uint8Array();

/** Reads ranges of one tensor with its file kept open. */
export class TensorReader {
  /** Stored bytes read so far. */
  bytesRead = 0;
  private readonly width: number;
  private readonly height: number;

  #unpacked: Promise<Float32Array> | null = null;

  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly file: RangedFile,
    private readonly entry: TensorEntry,
    private readonly dtype: Decoder,
  ) {
    this.height = entry.shape[0] ?? 1;
    this.width = sizeOf(entry.shape.slice(1));
  }

  static async open(checkpoint: Checkpoint, entry: TensorEntry): Promise<TensorReader> {
    const { path } = checkpoint.files[entry.file] as CheckpointFile;
    const dtype = decoderOf(entry.dtype, path, entry.offset);
    return new TensorReader(checkpoint, await RangedFile.open(path), entry, dtype);
  }

  get path(): string {
    return this.file.path;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Canonical elements [from, to) of the flattened tensor. */
  async elements(from: number, to: number): Promise<Float32Array> {
    const { permuteRows, transpose, restore } = this.entry;
    if (to - from > maxValues)
      throw formatError('TENSOR_TOO_BIG', this.path, this.entry.offset, `${quoted(this.entry.name)} has ${to - from} values.`);
    const out = new Float32Array(to - from);
    if (from === to) return out;
    if (this.entry.unpack !== null) {
      this.#unpacked ??= this.unpacked(this.entry.unpack);
      out.set((await this.#unpacked).subarray(from, to));
    } else if (transpose) await this.transposed(from, to, out);
    else if (permuteRows !== null) await this.permuted(from, to, out, permuteRows);
    else await this.stored(from, to, (values, at) => out.set(values, at));
    if (restore !== null) for (let i = 0; i < out.length; i++) out[i] = restore(out[i] as number);
    return out;
  }

  private async unpacked(unpack: NonNullable<TensorEntry['unpack']>): Promise<Float32Array> {
    const stored = new Uint8Array(this.entry.bytes);
    await this.file.readInto(stored, this.entry.offset);
    this.bytesRead += stored.length;
    const bytes = unpack(stored, await besideOf(this.checkpoint, this.entry));
    const values = new Float32Array((bytes.length / this.dtype.bytes) * this.dtype.elements);
    this.dtype.decode(bytes, values);
    return values;
  }

  /** Stored elements [from, to), slab by slab: `use` gets a slab and its distance from `from`. The slab is reused. */
  private async stored(from: number, to: number, use: (values: Float32Array, at: number) => void): Promise<void> {
    const { elements, bytes, decode } = this.dtype;
    const end = Math.ceil(to / elements);
    const blocks = Math.min(Math.max(1, Math.floor(slabBytes / bytes)), end - Math.floor(from / elements));
    const raw = new Uint8Array(blocks * bytes);
    const values = new Float32Array(blocks * elements);
    for (let block = Math.floor(from / elements); block < end; block += blocks) {
      const count = Math.min(blocks, end - block);
      const slab = raw.subarray(0, count * bytes);
      await this.file.readInto(slab, this.entry.offset + block * bytes);
      this.bytesRead += slab.length;
      decode(slab, values.subarray(0, count * elements));
      const first = block * elements;
      const begin = Math.max(0, from - first);
      use(values.subarray(begin, Math.min(count * elements, to - first)), first + begin - from);
    }
  }

  /** Rows permuted within a neighbourhood (a head): reads the hull of the stored rows and picks. */
  private async permuted(from: number, to: number, out: Float32Array, storedRow: (row: number) => number): Promise<void> {
    const { width } = this;
    const firstRow = Math.floor(from / width);
    const rows = Array.from({ length: Math.ceil(to / width) - firstRow }, (_, i) => storedRow(firstRow + i));
    const low = rows.reduce((a, b) => Math.min(a, b), this.height);
    const high = rows.reduce((a, b) => Math.max(a, b), -1);
    const canonical = new Map(rows.map((stored, i) => [stored, firstRow + i]));
    await this.stored(low * width, (high + 1) * width, (values, at) => {
      for (let i = 0; i < values.length; ) {
        const position = low * width + at + i;
        const run = Math.min(width - (position % width), values.length - i);
        const row = canonical.get(Math.floor(position / width));
        if (row !== undefined) copyInside(values.subarray(i, i + run), row * width + (position % width) - from, out);
        i += run;
      }
    });
  }

  /** The file has column c of the canonical matrix as its row c. */
  private async transposed(from: number, to: number, out: Float32Array): Promise<void> {
    const { width, height } = this;
    await this.stored(0, width * height, (values, at) => {
      for (let i = 0; i < values.length; i++) {
        const position = at + i;
        const to_ = (position % height) * width + Math.floor(position / height);
        if (to_ >= from && to_ < to) out[to_ - from] = values[i] as number;
      }
    });
  }
}

/** Copies what of `values`, which begin at `at`, falls inside `out`. */
function copyInside(values: Float32Array, at: number, out: Float32Array): void {
  const skip = Math.max(0, -at);
  const end = Math.min(values.length, out.length - at);
  if (skip < end) out.set(values.subarray(skip, end), at + skip);
}

type Decoder = Dtype & { readonly decode: NonNullable<Dtype['decode']> };

function decoderOf(dtype: string, file: string, offset: number | null): Decoder {
  const known = dtypes.get(dtype);
  if (known === undefined) throw formatError('DTYPE_UNKNOWN', file, offset, `There is no dtype ${quoted(dtype)}.`);
  if (known.decode === null)
    throw formatError('DTYPE_UNDECODABLE', file, offset, `Values of type ${dtype} cannot be decoded here.`);
  return known as Decoder;
}
