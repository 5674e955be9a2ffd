import { basename } from 'node:path';
import { formatError } from './errors.js';
import { externalFields, readStoredTensor, type StoredTensor } from './onnxTensor.js';
import { type ProtoField, ProtoReader } from './protoReader.js';
import { type RangedFile, withFile } from './rangedFile.js';

/** Smaller initializers stay where they are: shapes and axes must be at hand when a graph is checked. */
const leastMoved = 1 << 12;
/** protobuf's own limit of a message. */
const maxSkeleton = 2 ** 31 - 1;

/**
 * The ModelProto without its big weights: an initializer that the file holds as bytes points to them in the file itself, as if it were
 * external data. Everything else is as it was, byte by byte. Errors: those of opening the file, HEADER_TOO_BIG.
 */
export const readOnnxSkeleton = (path: string): Promise<Uint8Array<ArrayBuffer>> =>
  withFile(path, async (file) => {
    const reader = new ProtoReader(file);
    const model = new Copy(file);
    for (let at = 0; at < file.bytes; ) {
      const field = await reader.field(at, file.bytes);
      at = field.to;
      if (field.number !== graphField || field.wire !== 2) model.keep(field.at, field.to);
      else model.add(...delimited(graphField, await graphWithout(reader, field, basename(path))));
    }
    return Buffer.concat(await model.parts()) as Uint8Array<ArrayBuffer>;
  });

const graphField = 7;
const initializerField = 5;

async function graphWithout(reader: ProtoReader, graph: ProtoField, location: string): Promise<Uint8Array[]> {
  const copy = new Copy(reader.file);
  for (let at = graph.from; at < graph.to; ) {
    const field = reader.fieldAtHand(at, graph.to) ?? (await reader.field(at, graph.to));
    at = field.to;
    const tensor =
      field.number === initializerField && field.to - field.from >= leastMoved ? await readStoredTensor(reader, field) : null;
    if (tensor?.values.kind === 'raw') copy.add(...delimited(initializerField, await pointing(reader, tensor, location)));
    else copy.keep(field.at, field.to);
  }
  return copy.parts();
}

/** The TensorProto with the place of its bytes instead of them. */
async function pointing(reader: ProtoReader, { from, to, values }: StoredTensor, location: string): Promise<Uint8Array[]> {
  if (values.kind !== 'raw') return [];
  const copy = new Copy(reader.file);
  for (let at = from; at < to; ) {
    const field = await reader.field(at, to);
    at = field.to;
    if (field.from !== values.from) copy.keep(field.at, field.to);
  }
  const entry = (key: string, value: string) =>
    delimited(externalFields.entries, [...delimited(1, [Buffer.from(key)]), ...delimited(2, [Buffer.from(value)])]);
  copy.add(
    ...entry('location', location),
    ...entry('offset', String(values.from)),
    ...entry('length', String(values.to - values.from)),
    varint(externalFields.location * 8),
    varint(1),
  );
  return copy.parts();
}

/** Parts of a new message: ranges of the file, read when they are complete, and bytes of our own. */
class Copy {
  readonly #parts: (Uint8Array | { from: number; to: number })[] = [];

  constructor(private readonly file: RangedFile) {}

  keep(from: number, to: number): void {
    const last = this.#parts.at(-1);
    if (last && 'to' in last && last.to === from) last.to = to;
    else this.#parts.push({ from, to });
  }

  add(...bytes: readonly Uint8Array[]): void {
    this.#parts.push(...bytes);
  }

  async parts(): Promise<Uint8Array[]> {
    const size = this.#parts.reduce((sum, part) => sum + ('to' in part ? part.to - part.from : part.length), 0);
    if (size > maxSkeleton)
      throw formatError(
        'HEADER_TOO_BIG',
        this.file.path,
        0,
        `The graph has ${size} bytes besides its weights; the limit is ${maxSkeleton}.`,
      );
    const parts: Uint8Array[] = [];
    for (const part of this.#parts) parts.push('to' in part ? await this.file.read(part.from, part.to - part.from) : part);
    return parts;
  }
}

function delimited(field: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return [varint(field * 8 + 2), varint(length), ...content];
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest > 127 ? 128 : 0));
    if (rest <= 127) return Uint8Array.from(bytes);
  }
}
