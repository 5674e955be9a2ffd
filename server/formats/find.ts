import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { formats } from './registry.js';

export interface FoundCheckpoint {
  /** A Hugging Face folder or a model file. */
  readonly path: string;
  readonly name: string;
  readonly format: string;
  /** Of the weights on disk. */
  readonly bytes: number;
}

const skipped = new Set(['node_modules', '.git', '.hg', '.svn', '__pycache__', 'site-packages', '.venv', 'venv']);
const maxDepth = 8;
/** Folders looked into at most: a workspace can be a home directory. */
const maxFolders = 20_000;

/**
 * Models below `folder`, nearest first, at most `limit`, by names and first bytes only. A folder with config.json and weights is one model;
 * elsewhere every model file is one. Folders that cannot be read are passed over.
 */
export async function findCheckpoints(folder: string, limit: number): Promise<FoundCheckpoint[]> {
  const found: FoundCheckpoint[] = [];
  let level = [folder];
  for (let depth = 0, visited = 0; depth <= maxDepth && level.length > 0; depth++) {
    const below: string[] = [];
    for (const path of level) {
      if (found.length >= limit || ++visited > maxFolders) return found.slice(0, limit);
      const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
      found.push(...(await modelsIn(path, entries)));
      // Links to folders are not followed: they may lead round in circles.
      for (const entry of entries) if (entry.isDirectory() && !skipped.has(entry.name)) below.push(join(path, entry.name));
    }
    level = below.sort();
  }
  return found.slice(0, limit);
}

async function modelsIn(folder: string, entries: readonly Dirent[]): Promise<FoundCheckpoint[]> {
  const names = entries
    .filter((e) => !e.isDirectory())
    .map((e) => e.name)
    .sort();
  const weights = names.filter((n) => n.endsWith('.safetensors'));
  const binary = weights.length === 0 && names.includes('pytorch_model.bin') ? ['pytorch_model.bin'] : [];
  const isModel = names.includes('config.json') && weights.length + binary.length > 0;
  const found: FoundCheckpoint[] = [];
  if (isModel) {
    const sizes = await Promise.all([...weights, ...binary].map((name) => sizeOf(join(folder, name))));
    found.push({
      path: folder,
      name: basename(folder),
      format: weights.length > 0 ? 'safetensors' : 'pth',
      bytes: sizes.reduce((a, b) => a + b, 0),
    });
  }
  for (const name of names) {
    const format = formats.find((f) => f.extensions.includes(extname(name).toLowerCase()));
    if (format === undefined || (isModel && format.id === 'safetensors')) continue;
    const path = join(folder, name);
    // `.pth` is also what Python calls its lists of import paths.
    if (format.id === 'pth' && !(await startsLikeZip(path))) continue;
    found.push({ path, name, format: format.id, bytes: await sizeOf(path) });
  }
  return found;
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (info) => info.size,
    () => 0,
  );

async function startsLikeZip(path: string): Promise<boolean> {
  if (!(await stat(path).catch(() => null))?.isFile()) return false;
  const file = await open(path).catch(() => null);
  try {
    const first = new Uint8Array(2);
    return (await file?.read(first, 0, 2, 0))?.bytesRead === 2 && String.fromCharCode(...first) === 'PK';
  } finally {
    await file?.close();
  }
}
