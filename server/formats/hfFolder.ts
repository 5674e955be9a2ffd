import { basename, dirname, join, resolve } from 'node:path';
import type { Checkpoint, CheckpointFile } from './checkpoint.js';
import { formatError } from './errors.js';
import { listFolder, type ModelFolder, readJson, readModelFolder, refuseMissing } from './modelFolder.js';
import { readPthHeader } from './pthHeader.js';
import { readSafetensorsHeader } from './safetensorsHeader.js';
import { type Declared, quoted, tensorTable } from './tensorTable.js';

interface Header {
  readonly file: CheckpointFile;
  readonly declared: readonly Declared[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** How transformers saves weights: in one file, or in shards that an index lists. */
interface Kind {
  readonly format: string;
  readonly file: string;
  readonly index: string;
  readonly extension: string;
  /** Tied weights are one storage under two names. */
  readonly shared: boolean;
  readonly read: (path: string, index: number) => Promise<Header>;
}

/** Best first. */
const kinds: readonly Kind[] = [
  {
    format: 'safetensors',
    file: 'model.safetensors',
    index: 'model.safetensors.index.json',
    extension: '.safetensors',
    shared: false,
    read: readSafetensorsHeader,
  },
  {
    format: 'pth',
    file: 'pytorch_model.bin',
    index: 'pytorch_model.bin.index.json',
    extension: '.bin',
    shared: true,
    read: readPthHeader,
  },
];

/** Whether `names`, of a folder, are those of a Hugging Face model. */
export const holdsWeights = (names: ReadonlySet<string>): boolean =>
  [...names].some((name) => name.endsWith('.safetensors')) ||
  kinds.some(({ file, index }) => names.has(file) || names.has(index));

/** Opens a Hugging Face model folder: safetensors or PyTorch's own files, sharded or single. Reads headers and JSON only. */
export async function openModelFolder(folder: string): Promise<Checkpoint> {
  const names = await listFolder(folder);
  const beside = await readModelFolder(folder, names);
  for (const kind of kinds) {
    if (names.has(kind.index)) return openShards(folder, kind, beside);
    if (names.has(kind.file)) return openFiles(folder, kind, [kind.file], beside);
    if (kind.format !== 'safetensors') continue;
    const others = [...names].filter((name) => name.endsWith(kind.extension)).sort();
    if (others.length > 0) return openFiles(folder, kind, others, beside);
  }
  const message = 'The folder holds no weights: no .safetensors, no pytorch_model.bin and no single file of another format.';
  throw formatError('FORMAT_UNKNOWN', folder, null, message);
}

/** The whole model when `path` is one of the shards that an index beside it lists, otherwise null. */
export async function openIfShard(path: string): Promise<Checkpoint | null> {
  const folder = dirname(resolve(path));
  const names = await listFolder(folder);
  for (const kind of kinds)
    if (names.has(kind.index) && (await readIndex(folder, kind)).shards.includes(basename(path)))
      return openShards(folder, kind, await readModelFolder(folder, names));
  return null;
}

async function openShards(folder: string, kind: Kind, beside: ModelFolder): Promise<Checkpoint> {
  const { shards, shardOf, keyOffset } = await readIndex(folder, kind);
  refuseMissing(folder, shards, await listFolder(folder));
  const checkpoint = await openFiles(folder, kind, shards, beside);
  for (const [name, shard] of Object.entries(shardOf)) {
    const entry = checkpoint.tensors.get(name);
    if (entry === undefined || shards[entry.file] !== shard)
      throw formatError(
        'INDEX_INVALID',
        join(folder, kind.index),
        keyOffset,
        `Tensor ${quoted(name)} is not in ${quoted(shard)}, where the index has it.`,
      );
  }
  return checkpoint;
}

async function openFiles(folder: string, kind: Kind, names: readonly string[], beside: ModelFolder): Promise<Checkpoint> {
  const headers: Header[] = [];
  for (const [i, name] of names.entries()) headers.push(await kind.read(join(folder, name), i));
  const files = headers.map(({ file }) => file);
  const declared = headers.flatMap((header) => header.declared);
  return {
    path: folder,
    name: folderName(folder),
    format: kind.format,
    files,
    tensors: tensorTable(declared, files, kind.shared),
    metadata: Object.fromEntries(headers.flatMap(({ metadata }) => Object.entries(metadata ?? {}))),
    ...beside,
  };
}

async function readIndex(folder: string, { index, extension }: Kind) {
  const path = join(folder, index);
  const { value, keyOffsets } = await readJson(path, 'INDEX_INVALID');
  const keyOffset = keyOffsets.get('weight_map') ?? 0;
  const map = (value as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw formatError('INDEX_INVALID', path, keyOffset, 'The index has no "weight_map" object.');
  const shardOf = map as Record<string, string>;
  const shards = [...new Set(Object.values(shardOf))].sort();
  // A shard is a plain name: an index from the net must not make us read elsewhere.
  const stray = shards.find((shard) => typeof shard !== 'string' || basename(shard) !== shard || !shard.endsWith(extension));
  if (stray !== undefined)
    throw formatError('INDEX_INVALID', path, keyOffset, `The index names the shard ${quoted(String(stray))}.`);
  return { shards, shardOf, keyOffset };
}

/** `owner/model` inside the Hugging Face cache (models--owner--model/snapshots/REVISION), otherwise the folder's own name. */
const folderName = (folder: string): string =>
  /models--(.+?)[/\\]snapshots[/\\]/.exec(resolve(folder))?.[1]?.replaceAll('--', '/') ?? basename(resolve(folder));
