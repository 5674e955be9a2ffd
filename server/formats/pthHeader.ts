import type { CheckpointFile } from './checkpoint.js';
import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';
import { maxPickle, readPickle } from './pickle.js';
import { isDict, isKind, type StoredTensor, type Value } from './pickleValues.js';
import { isLegacy, readLegacy } from './pthLegacy.js';
import { type RangedFile, resolvePath, withFile } from './rangedFile.js';
import { type Declared, elementsOf, inOrder, quoted } from './tensorTable.js';
import { readZip, type ZipMember } from './zip.js';

export interface PthHeader {
  readonly file: CheckpointFile;
  readonly declared: readonly Declared[];
}

/**
 * The tensors of a file that torch.save wrote: a zip archive of a pickle, which is read, never executed, and of one member for
 * each storage; before PyTorch 1.6, pickles and storages one after the other. `index` is the file's place in `Checkpoint.files`.
 */
export async function readPthHeader(path: string, index: number): Promise<PthHeader> {
  return withFile(path, async (file) => {
    const declared = await readTensors(file);
    const placed = declared.map((each) => ({ ...each, entry: { ...each.entry, file: index } }));
    return { file: { path: await resolvePath(path), bytes: file.bytes }, declared: placed };
  });
}

async function readTensors(file: RangedFile): Promise<Declared[]> {
  const { path } = file;
  const first = await file.read(0, Math.min(15, file.bytes));
  if (first.length > 0 && isLegacy(first)) {
    const { value, at, members } = await readLegacy(file);
    return stateDict(value, path, at).map(([name, tensor]) => declare(name, tensor, members, '', path));
  }
  if (String.fromCharCode(...first.subarray(0, 4)) !== 'PK\x03\x04')
    throw formatError('ZIP_INVALID', path, 0, 'The file does not start like a zip archive.');
  const members = await readZip(file);
  const pickle = [...members.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined)
    throw formatError('PTH_UNSUPPORTED', path, null, 'The archive has no data.pkl, so it was not made by torch.save.');
  const root = pickle.name.slice(0, -'data.pkl'.length);
  await refuseBigEndian(file, members.get(`${root}byteorder`));
  if (pickle.bytes > maxPickle)
    throw formatError('PICKLE_TOO_BIG', path, pickle.offset, `The pickle has ${pickle.bytes} bytes; the limit is ${maxPickle}.`);
  const value = readPickle(await file.read(pickle.offset, pickle.bytes), path, pickle.offset);
  return stateDict(value, path, pickle.offset).map(([name, tensor]) => declare(name, tensor, members, root, path));
}

async function refuseBigEndian(file: RangedFile, member: ZipMember | undefined): Promise<void> {
  if (member === undefined || member.bytes > 16) return;
  const order = String.fromCharCode(...(await file.read(member.offset, member.bytes)));
  if (order !== 'little') throw formatError('PTH_UNSUPPORTED', file.path, member.offset, `The byte order is ${quoted(order)}.`);
}

/** What trainers call the weights among the other things they save. */
const wrappers = ['state_dict', 'model_state_dict', 'model', 'module'];

/**
 * Name and tensor of each entry of the pickled dictionary, or of the one inside it that holds the weights.
 * @throws PTH_UNSUPPORTED when there is none
 */
function stateDict(value: Value, file: string, at: number): readonly NamedTensor[] {
  const inner = entriesOf(value).find(([name]) => wrappers.includes(name as string))?.[1] ?? null;
  const found = [value, inner].map(namedTensors).find((tensors) => tensors.length > 0);
  if (found === undefined) throw formatError('PTH_UNSUPPORTED', file, at, 'The pickle holds no dictionary of tensors.');
  return found;
}

type NamedTensor = readonly [name: string, tensor: StoredTensor];

const entriesOf = (value: Value): readonly [Value, Value][] => (isDict(value) ? value.entries : []);
const namedTensors = (value: Value): readonly NamedTensor[] =>
  entriesOf(value).flatMap(([name, v]) => (typeof name === 'string' && isKind(v, 'tensor') ? [[name, v] as const] : []));

function declare(
  name: string,
  tensor: StoredTensor,
  members: ReadonlyMap<string, ZipMember>,
  root: string,
  file: string,
): Declared {
  const { storage, shape, strides, offset, at: declaredAt } = tensor;
  const { bytes: size } = dtypes.get(storage.dtype) as { bytes: number };
  const elements = elementsOf(shape, name, file, declaredAt);
  const member = members.get(`${root}data/${storage.key}`);
  if (member === undefined)
    throw formatError(
      'OFFSET_INVALID',
      file,
      declaredAt,
      `Tensor ${quoted(name)} needs the storage ${quoted(storage.key)}, which the archive lacks.`,
    );
  if (storage.elements * size !== member.bytes || offset + elements > storage.elements)
    throw formatError(
      'SIZE_MISMATCH',
      file,
      declaredAt,
      `Tensor ${quoted(name)} spans ${(offset + elements) * size} bytes, its storage ${storage.elements * size} and the member ${member.bytes}.`,
    );
  const [rows, cols] = shape as [number, number];
  const transpose = !isRowMajor(shape, strides) && shape.length === 2 && isRowMajor([cols, rows], [...strides].reverse());
  if (!transpose && !isRowMajor(shape, strides))
    throw formatError(
      'PTH_UNSUPPORTED',
      file,
      declaredAt,
      `Tensor ${quoted(name)} is not contiguous (strides ${strides.join(', ')}).`,
    );
  const place = { file: 0, offset: member.offset + offset * size, bytes: elements * size };
  return { entry: { name, sourceName: name, dtype: storage.dtype, shape, ...place, ...inOrder, transpose }, declaredAt };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size !== 1 && strides[axis] !== step) return false; // PyTorch keeps any stride for axes of size 1
    step *= Math.max(size, 1);
  }
  return true;
}
