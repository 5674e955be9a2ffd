import type { CheckpointFile } from './checkpoint.js';
import { formatError } from './errors.js';
import { parseJson } from './json.js';
import { resolvePath, withFile } from './rangedFile.js';
import { bytesOf, type Declared, elementsOf, inOrder, quoted } from './tensorTable.js';

/** The limit of the reference implementation. */
const maxHeader = 100_000_000;

export interface SafetensorsHeader {
  readonly file: CheckpointFile;
  readonly declared: readonly Declared[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * Header of one .safetensors file: u64 length, JSON {name: {dtype, shape, data_offsets}}, data
 * (https://github.com/huggingface/safetensors#format). `index` is the file's place in `Checkpoint.files`.
 */
export async function readSafetensorsHeader(path: string, index: number): Promise<SafetensorsHeader> {
  return withFile(path, async (file) => {
    const prefix = await file.read(0, 8);
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (length > maxHeader)
      throw formatError('HEADER_TOO_BIG', path, 0, `The header claims ${length} bytes; the limit is ${maxHeader}.`);
    // One byte before all of them: zeros of a sparse or wrong file are not worth 100 MB.
    if (length === 0 || (await file.read(8, 1))[0] !== 0x7b)
      throw formatError('HEADER_INVALID', path, 8, 'The header does not start with "{".');
    const bytes = await file.read(8, length);
    const { value, keyOffsets } = parseJson(bytes, { file: path, base: 8, code: 'HEADER_INVALID', what: 'The header' });
    const { __metadata__: metadata, ...tensors } = value as Record<string, unknown>;
    const declared = Object.entries(tensors).map(([name, info]) =>
      declare(name, info, { path, index, dataStart: 8 + length, declaredAt: keyOffsets.get(name) as number }),
    );
    return { file: { path: await resolvePath(path), bytes: file.bytes }, declared, metadata: isRecord(metadata) ? metadata : {} };
  });
}

interface Place {
  readonly path: string;
  readonly index: number;
  readonly dataStart: number;
  readonly declaredAt: number;
}

function declare(name: string, info: unknown, { path, index, dataStart, declaredAt }: Place): Declared {
  const { dtype, shape, data_offsets: range } = isRecord(info) ? info : {};
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !Array.isArray(range) || range.length !== 2)
    throw formatError('HEADER_INVALID', path, declaredAt, `Tensor ${quoted(name)} lacks dtype, shape or data_offsets.`);
  const [begin, end] = range as [number, number];
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0 || end < begin)
    throw formatError(
      'OFFSET_INVALID',
      path,
      declaredAt,
      `Tensor ${quoted(name)} has the byte range ${JSON.stringify(range).slice(0, 60)}.`,
    );
  const elements = elementsOf(shape, name, path, declaredAt);
  const bytes = bytesOf(dtype, shape, elements, name, path, declaredAt);
  if (bytes !== end - begin)
    throw formatError(
      'SIZE_MISMATCH',
      path,
      declaredAt,
      `Tensor ${quoted(name)} (${dtype} [${shape.join(', ')}]) needs ${bytes} bytes, its range has ${end - begin}.`,
    );
  return {
    entry: { name, sourceName: name, dtype, shape, file: index, offset: dataStart + begin, bytes, ...inOrder },
    declaredAt,
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
