import { basename, dirname, join } from 'node:path';
import { formatError } from './errors.js';
import { type GgufHeader, readGgufHeader } from './ggufHeader.js';
import { listFolder, refuseMissing } from './modelFolder.js';
import { withFile } from './rangedFile.js';
import { quoted } from './tensorTable.js';

/** A model in one file, or in several that llama.cpp's gguf-split wrote: NAME-00001-of-00003.gguf and so on. */
export interface GgufPart {
  /** As the person named it, or beside the part that was named. */
  readonly path: string;
  readonly bytes: number;
  /** Tensors carry the index of their part; the first part's metadata is the model's. */
  readonly header: GgufHeader;
}

const partName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i;

/** NAME, the place from 1 on and the number of parts in a file's name, or null when it names no part. */
export function partOf(path: string): { readonly name: string; readonly place: number; readonly count: number } | null {
  const [, name, place, count] = partName.exec(basename(path)) ?? [];
  return name === undefined ? null : { name, place: Number(place), count: Number(count) };
}

const nameOf = (name: string, place: number, count: number): string =>
  `${name}-${String(place).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;

/**
 * Every part of the model that the file at `path` belongs to, in order.
 * @throws SHARD_MISSING, GGUF_SPLIT when names, counts or places of the parts contradict each other
 */
export async function readGgufParts(path: string): Promise<readonly GgufPart[]> {
  const opened = await readPart(path, 0);
  const count = declared(opened, 'split.count') ?? 1;
  if (count <= 1) return [opened];
  const named = partOf(path);
  if (named?.count !== count)
    throw formatError(
      'GGUF_SPLIT',
      path,
      offsetOf(opened, 'split.count'),
      `This file is one of ${count} parts, which its name does not say.`,
    );
  const names = Array.from({ length: count }, (_, i) => nameOf(named.name, i + 1, count));
  refuseMissing(dirname(path), names, await listFolder(dirname(path)));
  const parts: GgufPart[] = [];
  for (const [place, name] of names.entries()) {
    const part = await readPart(join(dirname(path), name), place);
    check(part, place, count);
    parts.push(part);
  }
  const tensors = parts.reduce((sum, { header }) => sum + header.declared.length, 0);
  const [first] = parts as [GgufPart];
  const promised = declared(first, 'split.tensors.count');
  if (promised !== null && promised !== tensors)
    throw formatError(
      'GGUF_SPLIT',
      first.path,
      offsetOf(first, 'split.tensors.count'),
      `The ${count} parts hold ${tensors} tensors, not ${promised}.`,
    );
  return parts;
}

const readPart = (path: string, place: number): Promise<GgufPart> =>
  withFile(path, async (file) => {
    const { metadata, declared } = await readGgufHeader(file);
    const placed = declared.map((each) => ({ ...each, entry: { ...each.entry, file: place } }));
    return { path, bytes: file.bytes, header: { metadata, declared: placed } };
  });

function check(part: GgufPart, place: number, count: number): void {
  for (const [key, expected] of [
    ['split.no', place],
    ['split.count', count],
  ] as const) {
    const found = declared(part, key);
    if (found !== expected)
      throw formatError(
        'GGUF_SPLIT',
        part.path,
        offsetOf(part, key),
        `"${key}" is ${found}; by the name of the file it is ${expected}.`,
      );
  }
}

const offsetOf = ({ header }: GgufPart, key: string): number | null => header.metadata.get(key)?.at ?? null;

function declared({ path, header }: GgufPart, key: string): number | null {
  const found = header.metadata.get(key);
  if (found === undefined) return null;
  if (!Number.isSafeInteger(found.value))
    throw formatError('METADATA_INVALID', path, found.at, `"${key}" is ${quoted(String(found.value))}.`);
  return found.value as number;
}
