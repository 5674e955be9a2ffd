import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';
import { maxPickle, readPickles } from './pickle.js';
import { isDict, type Value } from './pickleValues.js';
import type { RangedFile } from './rangedFile.js';
import { quoted } from './tensorTable.js';
import type { ZipMember } from './zip.js';

/** The integer 0x1950a86a20f9469cfc6c as a pickle ends with it, which is the first of every such file. */
const magic = Uint8Array.of(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e);

/** Bytes before it: a pickle tells its protocol, and from protocol 4 on the length of its frame. */
const before = (first: Uint8Array): number => (first[2] === 0x95 ? 11 : 2);

/** Bytes of a file that tell. */
export const LEGACY_START = 11 + magic.length;

export const isLegacy = (first: Uint8Array): boolean => {
  const rest = first.subarray(before(first), before(first) + magic.length);
  return first[0] === 0x80 && rest.length > 0 && rest.every((byte, i) => byte === magic[i]);
};

/**
 * What torch.save wrote before PyTorch 1.6 (torch/serialization.py, _legacy_save): five pickles (magic number, version, system,
 * object, keys of the storages), then each storage as its number of elements (i64) and its bytes.
 * @returns the object, where its pickle starts, and the storages as if they were members of an archive
 */
export async function readLegacy(file: RangedFile): Promise<{ value: Value; at: number; members: Map<string, ZipMember> }> {
  const { path } = file;
  const bytes = await file.read(0, Math.min(file.bytes, maxPickle));
  const start = before(bytes) + magic.length;
  const [version, system, object, keys] = readPickles(bytes.subarray(start), path, start, 4);
  if (version?.value !== 1001)
    throw formatError('PTH_LEGACY', path, start, `The file has version ${quoted(String(version?.value))} of the old format.`);
  refuseBigEndian(system?.value as Value, path);
  if (object === undefined || keys === undefined || !Array.isArray(keys.value))
    throw formatError('PICKLE_INVALID', path, keys?.at ?? null, 'The pickle is damaged: there is no list of storages.');
  return { value: object.value, at: object.at, members: await locate(file, bytes, keys.value, object.storages, keys.end) };
}

function refuseBigEndian(system: Value, path: string): void {
  const little = isDict(system) && system.entries.some(([name, value]) => name === 'little_endian' && value === true);
  if (!little) throw formatError('PTH_UNSUPPORTED', path, null, 'The byte order is not little-endian.');
}

/** Storages follow each other in the order of their keys. `start` is what has been read of the file. */
async function locate(
  file: RangedFile,
  start: Uint8Array,
  keys: readonly Value[],
  storages: ReadonlyMap<string, string>,
  from: number,
) {
  const members = new Map<string, ZipMember>();
  let at = from;
  for (const key of keys) {
    const dtype = typeof key === 'string' ? dtypes.get(storages.get(key) ?? '') : undefined;
    if (typeof key !== 'string' || dtype === undefined)
      throw formatError('PICKLE_INVALID', file.path, from, 'The pickle is damaged: it lists a storage that nothing uses.');
    const prefix = at + 8 <= start.length ? start.slice(at, at + 8) : await file.read(at, 8);
    const bytes = Number(new DataView(prefix.buffer).getBigUint64(0, true)) * dtype.bytes;
    const name = `data/${key}`;
    if (members.has(name)) throw formatError('NAME_DUPLICATE', file.path, at, `The file has the storage ${quoted(key)} twice.`);
    if (at + 8 + bytes > file.bytes)
      throw formatError(
        'OFFSET_INVALID',
        file.path,
        at,
        `The storage ${quoted(key)} has ${bytes} bytes, more than the file has left.`,
      );
    members.set(name, { name, offset: at + 8, bytes });
    at += 8 + bytes;
  }
  return members;
}
