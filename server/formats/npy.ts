import { basename, extname } from 'node:path';
import type { Checkpoint, Format } from './checkpoint.js';
import { formatError } from './errors.js';
import { type RangedFile, resolvePath, withFile } from './rangedFile.js';
import { bytesOf, type Declared, elementsOf, inOrder, tensorTable } from './tensorTable.js';
import { decodeText } from './text.js';
import { readZip } from './zip.js';

/** "\x93NUMPY", version 1 to 3. */
const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
/** NumPy's own limit is 10,000 characters. */
const maxHeader = 1 << 16;

/** NumPy's types by their codes, little-endian or of one byte. */
const types: ReadonlyMap<string, string> = new Map([
  ['<f2', 'F16'],
  ['<f4', 'F32'],
  ['<f8', 'F64'],
  ['|i1', 'I8'],
  ['|u1', 'U8'],
  ['|b1', 'BOOL'],
  ['<i2', 'I16'],
  ['<u2', 'U16'],
  ['<i4', 'I32'],
  ['<u4', 'U32'],
  ['<i8', 'I64'],
  ['<u8', 'U64'],
]);

const isNpy = (first: Uint8Array): boolean => magic.every((byte, i) => first[i] === byte);

/** An array that numpy.save wrote, under the name of the file, or those of numpy.savez, under their own. */
export const npy: Format = {
  id: 'npy',
  extensions: ['.npy', '.npz'],
  arrays: true,
  matches: (path, first) => isNpy(first) || path.toLowerCase().endsWith('.npz'),
  async open(path): Promise<Checkpoint> {
    const { bytes, tensors } = await withFile(path, async (file) => {
      const members = isNpy(await file.read(0, Math.min(6, file.bytes)))
        ? [{ name: basename(path), offset: 0, bytes: file.bytes }]
        : [...(await readZip(file)).values()].filter(({ name }) => name.endsWith('.npy'));
      const declared: Declared[] = [];
      for (const { name, offset, bytes } of members)
        declared.push(await declare(file, name.slice(0, -extname(name).length || name.length), offset, offset + bytes));
      return { bytes: file.bytes, tensors: tensorTable(declared, [{ path, bytes: file.bytes }]) };
    });
    return {
      path,
      name: basename(path),
      format: 'npy',
      files: [{ path: await resolvePath(path), bytes }],
      tensors,
      metadata: {},
      config: null,
      generation: null,
      tokenizer: null,
    };
  },
};

/** Header of one array: magic, version, length, a Python dictionary of three entries (numpy.lib.format, NEP 1). */
async function declare(file: RangedFile, name: string, from: number, end: number): Promise<Declared> {
  const { path } = file;
  const invalid = (message: string, at = from) => formatError('HEADER_INVALID', path, at, message);
  const start = await file.read(from, Math.min(12, end - from));
  const version = start[6] ?? 0;
  if (!isNpy(start) || version < 1 || version > 3 || start.length < 12)
    throw invalid('This is no array that numpy.save wrote (version 1 to 3).');
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const [length, at] = version === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  if (length > maxHeader)
    throw formatError('HEADER_TOO_BIG', path, from + 8, `The header claims ${length} bytes; the limit is ${maxHeader}.`);
  const text = decodeText(await file.read(from + at, length), path, from + at, 'The header');
  const [, descr] = /'descr':\s*'([^']{1,20})'/.exec(text) ?? [];
  const [, fortran] = /'fortran_order':\s*(True|False)/.exec(text) ?? [];
  const [, sizes] = /'shape':\s*\(([\d,\sL]*)\)/.exec(text) ?? [];
  if (descr === undefined || fortran === undefined || sizes === undefined)
    throw invalid('The header lacks descr, fortran_order or shape, or holds records instead of numbers.', from + at);
  const dtype = types.get(descr);
  if (dtype === undefined) throw formatError('DTYPE_UNKNOWN', path, from + at, `The array holds ${descr}, which is not read.`);
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)]));
  const elements = elementsOf(shape, name, path, from + at);
  if (fortran === 'True' && shape.filter((size) => size !== 1).length > 1)
    throw formatError('ORDER_UNSUPPORTED', path, from + at, 'The array is stored column by column.');
  const bytes = bytesOf(dtype, shape, elements, name, path, from + at);
  const offset = from + at + length;
  if (offset + bytes !== end)
    throw formatError('SIZE_MISMATCH', path, offset, `The shape asks for ${bytes} bytes; there are ${end - offset}.`);
  return { entry: { name, sourceName: name, dtype, shape, file: 0, offset, bytes, ...inOrder }, declaredAt: from + at };
}
