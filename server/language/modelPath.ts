import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onlyModelIn } from '../formats/registry.js';
import { modelExtensions } from '../protocol/models.js';

/** Where relative paths may start, and where Hugging Face keeps what it downloaded. */
export interface ModelPlaces {
  /** Folder of the document, null for one that is not a file. */
  readonly document: string | null;
  readonly workspace: readonly string[];
  /** The hub’s cache folder. */
  readonly hub: string;
}

/** Folder of a document on disk, or of the notebook that a cell belongs to; null for any other. */
export function folderOf(uri: string): string | null {
  const { protocol, pathname, host } = new URL(uri);
  if ((protocol !== 'file:' && protocol !== 'vscode-notebook-cell:') || (protocol !== 'file:' && host !== '')) return null;
  return path.dirname(fileURLToPath(`file://${host}${pathname}`));
}

const MODEL_FILE = new RegExp(`\\.(?:${[...modelExtensions, 'bin'].join('|')})$`, 'i');

const kindOf = async (place: string): Promise<'folder' | 'file' | null> => {
  const info = await stat(place).catch(() => null);
  return info === null ? null : info.isDirectory() ? 'folder' : 'file';
};

async function isModel(place: string): Promise<boolean> {
  const kind = await kindOf(place);
  if (kind !== 'folder') return kind === 'file' && MODEL_FILE.test(place);
  return (await kindOf(path.join(place, 'config.json'))) === 'file' || onlyModelIn(new Set(await readdir(place))) !== null;
}

/** The snapshot of a hub id in the local cache: what `from_pretrained` would load without the network. */
async function snapshotOf(id: string, hub: string): Promise<string | null> {
  if (!/^[\w.-]+(?:\/[\w.-]+)?$/.test(id)) return null;
  const repository = path.join(hub, `models--${id.replaceAll('/', '--')}`);
  const commit = await readFile(path.join(repository, 'refs', 'main'), 'utf8').catch(() => null);
  return commit === null ? null : path.join(repository, 'snapshots', commit.trim());
}

/**
 * The model on this machine that `from_pretrained(name)` would load: a path from the document, from a workspace folder, or an
 * absolute one, else the hub’s cache. Null when it is not here.
 */
export async function resolveModel(name: string, { document, workspace, hub }: ModelPlaces): Promise<string | null> {
  const bare = name.startsWith('~/') ? path.join(homedir(), name.slice(2)) : name;
  const bases = [...(document === null ? [] : [document]), ...workspace];
  const candidates = path.isAbsolute(bare) ? [bare] : bases.map((base) => path.resolve(base, bare));
  const snapshot = await snapshotOf(name, hub);
  for (const candidate of [...candidates, ...(snapshot === null ? [] : [snapshot])])
    if (await isModel(candidate)) return candidate;
  return null;
}
