import { formatError } from './errors.js';
import { ggmlTypes } from './ggml.js';
import type { RangedFile } from './rangedFile.js';
import { bytesOf, type Declared, elementsOf, inOrder, quoted } from './tensorTable.js';
import { decodeText } from './text.js';

export interface GgufHeader {
  /** Values with the offset of their key. 64-bit integers are numbers. */
  readonly metadata: ReadonlyMap<string, { readonly value: unknown; readonly at: number }>;
  /** By their names in the file, shapes row-major. */
  readonly declared: readonly Declared[];
}

/** The biggest vocabularies in use (262,144 tokens with 514,000 merges) need 16 MB and 1.3 M items. */
const maxHeader = 32 << 20;
const maxItems = 3 << 19;
const maxDepth = 4;

/** Reads as much of the file's start as the header takes, in growing steps. */
export async function readGgufHeader(file: RangedFile): Promise<GgufHeader> {
  for (let size = 1 << 20; ; size *= 4) {
    const length = Math.min(size, maxHeader, file.bytes);
    try {
      return new Parser(await file.read(0, length), file).header();
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error;
      if (length === file.bytes)
        throw formatError(
          'HEADER_TRUNCATED',
          file.path,
          error.at,
          `The header goes on after the end of the file (${file.bytes} bytes).`,
        );
      if (length === maxHeader)
        throw formatError('METADATA_TOO_BIG', file.path, error.at, `The header is longer than ${maxHeader} bytes.`);
    }
  }
}

/** The bytes at hand end before the header does. */
class NeedsMore extends Error {
  constructor(readonly at: number) {
    super();
  }
}

type Scalar = (view: DataView, at: number) => unknown;
/** By type id: size and reader. 8 is a string, 9 an array. */
const scalars: ReadonlyMap<number, readonly [bytes: number, read: Scalar]> = new Map<number, readonly [number, Scalar]>([
  [0, [1, (v, at) => v.getUint8(at)]],
  [1, [1, (v, at) => v.getInt8(at)]],
  [2, [2, (v, at) => v.getUint16(at, true)]],
  [3, [2, (v, at) => v.getInt16(at, true)]],
  [4, [4, (v, at) => v.getUint32(at, true)]],
  [5, [4, (v, at) => v.getInt32(at, true)]],
  [6, [4, (v, at) => v.getFloat32(at, true)]],
  [7, [1, (v, at) => v.getUint8(at) !== 0]],
  [10, [8, (v, at) => Number(v.getBigUint64(at, true))]],
  [11, [8, (v, at) => Number(v.getBigInt64(at, true))]],
  [12, [8, (v, at) => v.getFloat64(at, true)]],
]);
const [stringType, arrayType] = [8, 9];

class Parser {
  private at = 0;
  private items = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: RangedFile,
  ) {
    this.view = new DataView(bytes.buffer);
  }

  header(): GgufHeader {
    this.magic();
    const [tensors, pairs] = [this.count('tensors', 24), this.count('metadata values', 12)];
    const metadata = new Map<string, { value: unknown; at: number }>();
    for (let i = 0; i < pairs; i++) {
      const { at } = this;
      const key = this.text('A metadata key');
      if (metadata.has(key))
        throw formatError('NAME_DUPLICATE', this.file.path, at, `The metadata has the key ${quoted(key)} twice.`);
      metadata.set(key, { value: this.value(this.uint32(), 0), at });
    }
    const alignment = this.alignment(metadata.get('general.alignment'));
    const infos = Array.from({ length: tensors }, () => this.tensor());
    const dataStart = Math.ceil(this.at / alignment) * alignment;
    const declared = infos.map(({ entry, declaredAt }) => {
      if (entry.offset % alignment !== 0)
        throw formatError(
          'OFFSET_INVALID',
          this.file.path,
          declaredAt,
          `Tensor ${quoted(entry.name)} begins at ${entry.offset}, not a multiple of the alignment ${alignment}.`,
        );
      return { entry: { ...entry, offset: dataStart + entry.offset }, declaredAt };
    });
    return { metadata, declared };
  }

  private magic(): void {
    const { path } = this.file;
    if (this.uint32() !== 0x46554747) throw formatError('HEADER_INVALID', path, 0, 'The file does not start with "GGUF".');
    const version = this.uint32();
    if (version !== 2 && version !== 3)
      throw formatError(
        'GGUF_VERSION',
        path,
        4,
        version > 0xffff ? 'The file is big-endian.' : `This is GGUF version ${version}; versions 2 and 3 can be read.`,
      );
  }

  private alignment(declared: { value: unknown; at: number } | undefined): number {
    const { value, at } = declared ?? { value: 32, at: 0 };
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 8 || value > 1 << 20 || (value & (value - 1)) !== 0)
      throw formatError(
        'METADATA_INVALID',
        this.file.path,
        at,
        `"general.alignment" is ${String(value)}; it must be a power of two from 8.`,
      );
    return value;
  }

  private tensor(): Declared {
    const { path } = this.file;
    const declaredAt = this.at;
    const name = this.text('A tensor name');
    const dims = this.uint32();
    if (dims > 8) throw formatError('SHAPE_INVALID', path, declaredAt, `Tensor ${quoted(name)} has ${dims} dimensions.`);
    const shape = Array.from({ length: dims }, () => this.uint64()).reverse();
    const type = this.uint32();
    const offset = this.uint64();
    const dtype = ggmlTypes.get(type);
    if (dtype === undefined)
      throw formatError('DTYPE_UNKNOWN', path, declaredAt, `Tensor ${quoted(name)} has the unknown GGML type ${type}.`);
    const bytes = bytesOf(dtype, shape, elementsOf(shape, name, path, declaredAt), name, path, declaredAt);
    if (!Number.isSafeInteger(offset + bytes))
      throw formatError('OFFSET_INVALID', path, declaredAt, `Tensor ${quoted(name)} begins at ${offset}.`);
    return { entry: { name, sourceName: name, dtype, shape, file: 0, offset, bytes, ...inOrder }, declaredAt };
  }

  private value(type: number, depth: number): unknown {
    const scalar = scalars.get(type);
    if (scalar !== undefined) return scalar[1](this.view, this.advance(scalar[0]));
    if (type === stringType) return this.text('A metadata text');
    if (type !== arrayType)
      throw formatError('METADATA_INVALID', this.file.path, this.at - 4, `There is no metadata type ${type}.`);
    return this.array(depth + 1);
  }

  private array(depth: number): unknown[] {
    const { path } = this.file;
    const start = this.at;
    if (depth > maxDepth) throw formatError('METADATA_TOO_DEEP', path, start, `Arrays are nested deeper than ${maxDepth}.`);
    const type = this.uint32();
    const length = this.count('items of an array', scalars.get(type)?.[0] ?? (type === stringType ? 8 : 12));
    this.items += length;
    if (this.items > maxItems)
      throw formatError('METADATA_TOO_BIG', path, start, `The metadata has more than ${maxItems} items.`);
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(type, depth));
    return values;
  }

  /** A count that the rest of the file can hold, at `least` bytes each: what is claimed is not allocated before it is there. */
  private count(what: string, least: number): number {
    const { at } = this;
    const count = this.uint64();
    if (count * least > this.file.bytes - this.at)
      throw formatError(
        'METADATA_INVALID',
        this.file.path,
        at,
        `The header claims ${count} ${what}, more than the file can hold.`,
      );
    return count;
  }

  private text(what: string): string {
    const length = this.uint64();
    if (length > this.file.bytes - this.at)
      throw formatError(
        'METADATA_INVALID',
        this.file.path,
        this.at - 8,
        `${what} claims ${length} bytes, more than the file has left.`,
      );
    const from = this.advance(length);
    return decodeText(this.bytes.subarray(from, from + length), this.file.path, from, what);
  }

  private uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }
  private uint64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }
  private advance(length: number): number {
    const from = this.at;
    if (from + length > this.bytes.length) throw new NeedsMore(from);
    this.at = from + length;
    return from;
  }
}
