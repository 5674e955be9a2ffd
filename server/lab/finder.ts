import { findCheckpoints } from '../formats/find.js';
import { openCheckpoint } from '../formats/registry.js';
import type { ModelEntry } from '../protocol/models.js';
import type { Lab } from './lab.js';

/** Models shown of one folder. */
const LIMIT = 500;

/** Embedded models, those in the workspace's folders, and recently opened ones; each path once. */
export async function findModels(lab: Lab, folders: readonly string[]): Promise<ModelEntry[]> {
  const entries = new Map<string, ModelEntry>();
  const add = (entry: Omit<ModelEntry, 'open'>) => {
    if (!entries.has(entry.path)) entries.set(entry.path, { ...entry, open: lab.models.at(entry.path)?.id ?? null });
  };
  if (lab.options.embedded !== null)
    for (const found of await findCheckpoints(lab.options.embedded, LIMIT)) add({ ...found, source: 'embedded' });
  for (const folder of folders) for (const found of await findCheckpoints(folder, LIMIT)) add({ ...found, source: 'workspace' });
  for (const path of lab.recent) {
    if (entries.has(path)) continue;
    const checkpoint = await openCheckpoint(path).catch(() => null); // moved or deleted since
    if (!checkpoint) continue;
    const bytes = checkpoint.files.reduce((sum, f) => sum + f.bytes, 0);
    add({ path, name: checkpoint.name, source: 'recent', format: checkpoint.format, bytes });
  }
  return [...entries.values()];
}
