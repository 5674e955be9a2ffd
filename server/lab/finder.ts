import { realpath } from 'node:fs/promises';
import { relative } from 'node:path';
import { findCheckpoints } from '../formats/find.js';
import { openCheckpoint } from '../formats/registry.js';
import { cachedModels } from '../hub/cache.js';
import { hubEnvironment } from '../hub/environment.js';
import type { ModelEntry } from '../protocol/models.js';
import type { Lab } from './lab.js';

/** Models shown of one folder. */
const LIMIT = 500;

/** Embedded models, those in the workspace's folders, in the cache of Hugging Face's tools, and recently opened ones; each path once. */
export async function findModels(lab: Lab, folders: readonly string[]): Promise<ModelEntry[]> {
  const entries = new Map<string, ModelEntry>();
  const add = (entry: Omit<ModelEntry, 'open'>) => {
    if (!entries.has(entry.path)) entries.set(entry.path, { ...entry, open: lab.models.at(entry.path)?.id ?? null });
  };
  const search = async (folder: string, source: ModelEntry['source']) => {
    for (const found of await findCheckpoints(await realpath(folder).catch(() => folder), LIMIT)) add({ ...found, source });
  };
  if (lab.options.embedded !== null) await search(lab.options.embedded, 'embedded');
  for (const folder of folders) await search(folder, 'workspace');
  for (const { repo, path } of await cachedModels(hubEnvironment().cache)) {
    for (const found of await findCheckpoints(path, LIMIT))
      add({ ...found, name: found.path === path ? repo : `${repo}: ${relative(path, found.path)}`, source: 'cache' });
  }
  for (const path of lab.recent) {
    if (entries.has(path)) continue;
    const checkpoint = await openCheckpoint(path).catch(() => null); // moved or deleted since
    if (!checkpoint) continue;
    const bytes = checkpoint.files.reduce((sum, f) => sum + f.bytes, 0);
    add({ path, name: checkpoint.name, source: 'recent', format: checkpoint.format, bytes });
  }
  return [...entries.values()];
}
