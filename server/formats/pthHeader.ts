import type { CheckpointFile } from './checkpoint.js';
import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';
import { maxPickle, readPickle } from './pickle.js';
import { isDict, isKind, type StoredTensor, type Value } from './pickleValues.js';
import { isLegacy, LEGACY_START, readLegacy } from './pthLegacy.js';
import { type RangedFile, resolvePath, withFile } from './rangedFile.js';
import { gathered, isRowMajor, spanOf } from './strides.js';
import { type Declared, elementsOf, inOrder, quoted } from './tensorTable.js';
import { readZip, type ZipMember } from './zip.js';

/** Of a view that is not stored as its values follow each other: one number may stand for all. */
const maxGathered = 1 << 30;

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
  const first = await file.read(0, Math.min(LEGACY_START, file.bytes));
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

/** What trainers call the weights among the other things they save, averages of them for one. */
const wrappers = ['state_dict', 'model_state_dict', 'model', 'module'];
/** How deep below the top they lie. */
const DEEPEST = 3;

/**
 * Name and tensor of each entry of the pickled dictionary, or of the one inside it that holds the weights: that with the most tensors.
 * @throws PTH_UNSUPPORTED when there is none
 */
function stateDict(value: Value, file: string, at: number): readonly NamedTensor[] {
  const all = [...dictionaries(value, DEEPEST)].map(namedTensors);
  const most = Math.max(0, ...all.map(({ length }) => length));
  if (most === 0) throw formatError('PTH_UNSUPPORTED', file, at, 'The pickle holds no dictionary of tensors.');
  return all.find(({ length }) => length === most) as readonly NamedTensor[];
}

/** A dictionary and those in it, the likeliest first. */
function dictionaries(value: Value, depth: number, found = new Set<Value>()): ReadonlySet<Value> {
  if (!isDict(value) || found.has(value)) return found; // one may hold itself
  found.add(value);
  const rank = (name: Value) => (wrappers.includes(name as string) ? 0 : 1);
  const inner = depth === 0 ? [] : [...value.entries].sort(([a], [b]) => rank(a) - rank(b));
  for (const [, each] of inner) dictionaries(each, depth - 1, found);
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
  const { storage, dtype, shape, strides, offset, at: declaredAt } = tensor;
  const [size, stored] = [dtype, storage.dtype].map((name) => dtypes.get(name)?.bytes) as [number, number];
  const elements = elementsOf(shape, name, file, declaredAt);
  const member = members.get(`${root}data/${storage.key}`);
  if (member === undefined)
    throw formatError(
      'OFFSET_INVALID',
      file,
      declaredAt,
      `Tensor ${quoted(name)} needs the storage ${quoted(storage.key)}, which the archive lacks.`,
    );
  const span = spanOf(shape, strides);
  if (storage.elements * stored !== member.bytes || (offset + span) * size > member.bytes)
    throw formatError(
      'SIZE_MISMATCH',
      file,
      declaredAt,
      `Tensor ${quoted(name)} spans ${(offset + span) * size} bytes, its storage ${storage.elements * stored} and the member ${member.bytes}.`,
    );
  const [rows, cols] = shape as [number, number];
  const transpose = !isRowMajor(shape, strides) && shape.length === 2 && isRowMajor([cols, rows], [...strides].reverse());
  const unpack = transpose || isRowMajor(shape, strides) ? null : gathered(shape, strides, size);
  if (unpack && elements * size > maxGathered)
    throw formatError(
      'PTH_UNSUPPORTED',
      file,
      declaredAt,
      `Tensor ${quoted(name)} is a view (strides ${strides.join(', ')}) of ${elements} values.`,
    );
  const place = { file: 0, offset: member.offset + offset * size, bytes: span * size };
  return { entry: { name, sourceName: name, dtype, shape, ...place, ...inOrder, transpose, unpack }, declaredAt };
}
