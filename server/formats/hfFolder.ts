import { basename, dirname, join, resolve } from 'node:path';
import type { Checkpoint } from './checkpoint.js';
import { formatError } from './errors.js';
import { listFolder, type ModelFolder, readJson, readModelFolder } from './modelFolder.js';
import { pth } from './pth.js';
import { readSafetensorsHeader } from './safetensorsHeader.js';
import { quoted, tensorTable } from './tensorTable.js';

const indexName = 'model.safetensors.index.json';

/** Opens a Hugging Face model folder: safetensors, sharded or single, or a lone pytorch_model.bin. Reads headers and JSON only. */
export async function openModelFolder(folder: string): Promise<Checkpoint> {
  const names = await listFolder(folder);
  const beside = await readModelFolder(folder, names);
  if (names.has(indexName)) return openShards(folder, beside);
  const weights = names.has('model.safetensors')
    ? ['model.safetensors']
    : [...names].filter((n) => n.endsWith('.safetensors')).sort();
  if (weights.length === 0 && names.has('pytorch_model.bin'))
    return { ...(await pth.open(join(folder, 'pytorch_model.bin'))), path: folder, name: folderName(folder) };
  if (weights.length === 0) throw formatError('FORMAT_UNKNOWN', folder, null, 'The folder holds no .safetensors weights.');
  return openFiles(folder, weights, beside);
}

/** The whole model when `path` is one of the shards that the index beside it lists, otherwise null. */
export async function openIfShard(path: string): Promise<Checkpoint | null> {
  const folder = dirname(resolve(path));
  if (!(await listFolder(folder)).has(indexName)) return null;
  const { shards } = await readIndex(folder);
  return shards.includes(basename(path)) ? openModelFolder(folder) : null;
}

async function openShards(folder: string, beside: ModelFolder): Promise<Checkpoint> {
  const { shards, shardOf, keyOffset } = await readIndex(folder);
  const path = join(folder, indexName);
  const present = await listFolder(folder);
  const missing = shards.filter((shard) => !present.has(shard));
  if (missing.length > 0)
    throw formatError(
      'SHARD_MISSING',
      join(folder, missing[0] as string),
      null,
      `${missing.length} of ${shards.length} shards are missing, the first is ${quoted(missing[0] as string)}.`,
    );
  const checkpoint = await openFiles(folder, shards, beside);
  for (const [name, shard] of Object.entries(shardOf)) {
    const entry = checkpoint.tensors.get(name);
    if (entry === undefined || shards[entry.file] !== shard)
      throw formatError(
        'INDEX_INVALID',
        path,
        keyOffset,
        `Tensor ${quoted(name)} is not in ${quoted(shard)}, where the index has it.`,
      );
  }
  return checkpoint;
}

async function openFiles(folder: string, names: readonly string[], beside: ModelFolder): Promise<Checkpoint> {
  const headers = [];
  for (const [i, name] of names.entries()) headers.push(await readSafetensorsHeader(join(folder, name), i));
  const files = headers.map((h) => h.file);
  const declared = headers.flatMap((h) => h.declared);
  const metadata = Object.fromEntries(headers.flatMap((h) => Object.entries(h.metadata)));
  return {
    path: folder,
    name: folderName(folder),
    format: 'safetensors',
    files,
    tensors: tensorTable(declared, files),
    metadata,
    ...beside,
  };
}

async function readIndex(folder: string) {
  const path = join(folder, indexName);
  const { value, keyOffsets } = await readJson(path, 'INDEX_INVALID');
  const keyOffset = keyOffsets.get('weight_map') ?? 0;
  const map = (value as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw formatError('INDEX_INVALID', path, keyOffset, 'The index has no "weight_map" object.');
  const shardOf = map as Record<string, string>;
  const shards = [...new Set(Object.values(shardOf))].sort();
  // A shard is a plain name: an index from the net must not make us read elsewhere.
  const stray = shards.find((shard) => typeof shard !== 'string' || basename(shard) !== shard || !shard.endsWith('.safetensors'));
  if (stray !== undefined)
    throw formatError('INDEX_INVALID', path, keyOffset, `The index names the shard ${quoted(String(stray))}.`);
  return { shards, shardOf, keyOffset };
}

/** `owner/model` inside the Hugging Face cache (models--owner--model/snapshots/REVISION), otherwise the folder's own name. */
const folderName = (folder: string): string =>
  /models--(.+?)[/\\]snapshots[/\\]/.exec(resolve(folder))?.[1]?.replaceAll('--', '/') ?? basename(resolve(folder));
