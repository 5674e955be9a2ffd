import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { partOf } from './ggufParts.js';
import { isLegacy, LEGACY_START } from './pthLegacy.js';
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
 * elsewhere every model file is one, and so are the parts of a split one. Folders that cannot be read are passed over.
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
  const binary = weights.length === 0 ? names.filter((n) => /^pytorch_model(-\d+-of-\d+)?\.bin$/.test(n)) : [];
  const isModel = names.includes('config.json') && weights.length + binary.length > 0;
  const found: FoundCheckpoint[] = [];
  if (isModel) {
    const format = weights.length > 0 ? 'safetensors' : 'pth';
    found.push({ path: folder, name: basename(folder), format, bytes: await sizesOf(folder, [...weights, ...binary]) });
  }
  for (const name of names) {
    const format = formats.find((f) => !f.arrays && f.extensions.includes(extname(name).toLowerCase()));
    if (format === undefined || (isModel && format.id === 'safetensors')) continue;
    const path = join(folder, name);
    const part = partOf(name);
    if (part !== null && part.place > 1) continue;
    // `.pth` is also what Python calls its lists of import paths.
    if (format.id === 'pth' && !(await startsLikeTorch(path))) continue;
    const files = part === null ? [name] : names.filter((n) => partOf(n)?.name === part.name && partOf(n)?.count === part.count);
    found.push({ path, name: part?.name ?? name, format: format.id, bytes: await sizesOf(folder, files) });
  }
  return found;
}

async function sizesOf(folder: string, names: readonly string[]): Promise<number> {
  const sizes = await Promise.all(names.map((name) => sizeOf(join(folder, name))));
  return sizes.reduce((a, b) => a + b, 0);
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (info) => info.size,
    () => 0,
  );

async function startsLikeTorch(path: string): Promise<boolean> {
  if (!(await stat(path).catch(() => null))?.isFile()) return false;
  const file = await open(path).catch(() => null);
  try {
    const first = new Uint8Array(LEGACY_START);
    await file?.read(first, 0, first.length, 0);
    return String.fromCharCode(...first.subarray(0, 2)) === 'PK' || isLegacy(first);
  } finally {
    await file?.close();
  }
}
