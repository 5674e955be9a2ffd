import { formatError } from './errors.js';
import type { RangedFile } from './rangedFile.js';
import { quoted } from './tensorTable.js';
import { decodeText } from './text.js';

/** An uncompressed member: its bytes in the archive. */
export interface ZipMember {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

const maxDirectory = 32 << 20;
const endBytes = 22;
const localBytes = 30;

/**
 * Members of a zip archive (PKWARE APPNOTE 6.3.10, with Zip64), read from the central directory at its end. torch.save stores without
 * compression, so nothing is ever inflated: compressed or encrypted members are refused (ZIP_COMPRESSED). Damage is ZIP_INVALID.
 */
export async function readZip(file: RangedFile): Promise<ReadonlyMap<string, ZipMember>> {
  const invalid = (offset: number, message: string) => formatError('ZIP_INVALID', file.path, offset, message);
  const { start, bytes, entries } = await findDirectory(file, invalid);
  if (bytes > maxDirectory) throw invalid(start, `The zip directory claims ${bytes} bytes; the limit is ${maxDirectory}.`);
  if (start + bytes > file.bytes) throw invalid(file.bytes, 'The zip directory lies outside the file.');
  const directory = await file.read(start, bytes);
  const headers = parseDirectory(directory, entries, start, file.path, invalid);
  const members = new Map<string, ZipMember>();
  for (const header of headers) {
    if (members.has(header.name))
      throw formatError('NAME_DUPLICATE', file.path, header.at, `The archive has ${quoted(header.name)} twice.`);
    if (header.local + localBytes > start) throw invalid(header.at, `Member ${quoted(header.name)} lies outside the file.`);
    // The local header repeats the name and has an extra field of its own, which torch.save uses to align the data.
    const local = new DataView((await file.read(header.local, localBytes)).buffer);
    if (local.getUint32(0, true) !== 0x04034b50)
      throw invalid(header.local, `Member ${quoted(header.name)} has no local header.`);
    const offset = header.local + localBytes + local.getUint16(26, true) + local.getUint16(28, true);
    if (offset + header.bytes > start) throw invalid(header.at, `Member ${quoted(header.name)} lies outside the file.`);
    members.set(header.name, { name: header.name, offset, bytes: header.bytes });
  }
  refuseOverlap([...members.values()], invalid);
  return members;
}

type Invalid = (offset: number, message: string) => Error;

/** Zip bombs make members overlap, so that few bytes count often. */
function refuseOverlap(members: readonly ZipMember[], invalid: Invalid): void {
  const sorted = members.filter((m) => m.bytes > 0).sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1] as ZipMember, sorted[i] as ZipMember];
    if (before.offset + before.bytes > after.offset)
      throw invalid(after.offset, `Members ${quoted(before.name)} and ${quoted(after.name)} share bytes.`);
  }
}

/** The end record, behind a comment of up to 64 KB, and its Zip64 twin when a field does not fit. */
async function findDirectory(file: RangedFile, invalid: Invalid) {
  const tailStart = Math.max(0, file.bytes - endBytes - 0xffff);
  const tail = await file.read(tailStart, file.bytes - tailStart);
  const view = new DataView(tail.buffer);
  for (let at = tail.length - endBytes; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50 || at + endBytes + view.getUint16(at + 20, true) > tail.length) continue;
    const plain = {
      entries: view.getUint16(at + 10, true),
      bytes: view.getUint32(at + 12, true),
      start: view.getUint32(at + 16, true),
    };
    if (plain.entries !== 0xffff && plain.bytes !== 0xffffffff && plain.start !== 0xffffffff) return plain;
    if (at < 20 || view.getUint32(at - 20, true) !== 0x07064b50)
      throw invalid(tailStart + at, 'The Zip64 end record is missing.');
    const twin = Number(view.getBigUint64(at - 12, true));
    if (twin + 56 > file.bytes) throw invalid(tailStart + at, 'The Zip64 end record lies outside the file.');
    const big = new DataView((await file.read(twin, 56)).buffer);
    if (big.getUint32(0, true) !== 0x06064b50) throw invalid(twin, 'The Zip64 end record is missing.');
    return { entries: long(big, 32), bytes: long(big, 40), start: long(big, 48) };
  }
  throw invalid(file.bytes, 'The file has no zip end record; it was cut short.');
}

const long = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

interface DirectoryEntry {
  readonly name: string;
  readonly bytes: number;
  /** Offset of the local header. */
  readonly local: number;
  /** Offset of this entry. */
  readonly at: number;
}

function parseDirectory(bytes: Uint8Array, entries: number, start: number, path: string, invalid: Invalid): DirectoryEntry[] {
  const view = new DataView(bytes.buffer);
  const headers: DirectoryEntry[] = [];
  for (let at = 0, i = 0; i < entries; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw invalid(start + at, `Entry ${i} of the zip directory is damaged.`);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const next = at + 46 + nameBytes + extraBytes + commentBytes;
    if (next > bytes.length) throw invalid(start + at, `Entry ${i} of the zip directory is damaged.`);
    const name = decodeText(bytes.subarray(at + 46, at + 46 + nameBytes), path, start + at + 46, 'A name in the archive');
    const extra = new DataView(bytes.buffer, at + 46 + nameBytes, extraBytes);
    const { stored, size, local } = sizesOf(view, at, extra);
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    if (method !== 0 || (flags & 1) !== 0 || stored !== size)
      throw formatError('ZIP_COMPRESSED', path, start + at, `Member ${quoted(name)} is compressed or encrypted.`);
    if (!Number.isSafeInteger(size + local)) throw invalid(start + at, `Member ${quoted(name)} lies outside the file.`);
    headers.push({ name, bytes: size, local, at: start + at });
    at = next;
  }
  return headers;
}

/** Sizes and place of a member; what does not fit 32 bits stands in the Zip64 extra field, in this order. */
function sizesOf(view: DataView, at: number, extra: DataView) {
  const fields = {
    size: view.getUint32(at + 24, true),
    stored: view.getUint32(at + 20, true),
    local: view.getUint32(at + 42, true),
  };
  for (let from = 0; from + 4 <= extra.byteLength; ) {
    const [id, length] = [extra.getUint16(from, true), extra.getUint16(from + 2, true)];
    from += 4;
    if (id === 1) {
      let value = from;
      for (const key of ['size', 'stored', 'local'] as const)
        if (fields[key] === 0xffffffff && value + 8 <= Math.min(from + length, extra.byteLength)) {
          fields[key] = long(extra, value);
          value += 8;
        }
    }
    from += length;
  }
  return fields;
}
