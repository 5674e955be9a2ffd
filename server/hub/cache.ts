/**
 * The cache that huggingface_hub and the `hf` tool keep, so that nothing is downloaded twice:
 *
 *   models--org--name/blobs/ETAG            the content, by SHA-256 (LFS) or git's SHA-1
 *   models--org--name/refs/REVISION         the commit that a branch or tag was at
 *   models--org--name/snapshots/COMMIT/PATH links to blobs
 *   .locks/models--org--name/ETAG.lock      held while a blob is written
 */
import { copyFile, link, lstat, mkdir, readdir, readFile, realpath, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { cacheUnwritable } from './errors.js';

const COMMIT = /^[0-9a-f]{40}$/;

export interface CachedModel {
  readonly repo: string;
  readonly commit: string;
  /** Its snapshot folder. */
  readonly path: string;
}

/** The part of the cache that holds one repository. */
export class CacheRepo {
  readonly folder: string;

  constructor(
    readonly cache: string,
    repo: string,
  ) {
    this.folder = join(cache, `models--${repo.replaceAll('/', '--')}`);
  }

  blob = (etag: string): string => join(this.folder, 'blobs', etag);
  incomplete = (etag: string): string => `${this.blob(etag)}.incomplete`;
  snapshot = (commit: string): string => join(this.folder, 'snapshots', commit);
  pointer = (commit: string, file: string): string => join(this.snapshot(commit), ...file.split('/'));
  lock = (etag: string): string => join(this.cache, '.locks', basename(this.folder), `${etag}.lock`);

  /** The commit that a revision was at when it was last asked for, or null. */
  async commitOf(revision: string): Promise<string | null> {
    if (COMMIT.test(revision)) return revision;
    const commit = await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '');
    return COMMIT.test(commit.trim()) ? commit.trim() : null;
  }

  /** Remembers where a branch or tag is. */
  async remember(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision) || (await this.commitOf(revision)) === commit) return;
    const ref = join(this.folder, 'refs', ...revision.split('/'));
    await writing(ref, async () => {
      await mkdir(dirname(ref), { recursive: true });
      const temporary = `${ref}.${process.pid}`;
      await writeFile(temporary, commit);
      await rename(temporary, ref);
    });
  }

  /** Bytes of a blob that are here, whole or in part. */
  async bytesOf(etag: string): Promise<number> {
    return (await sizeOf(this.blob(etag))) ?? (await sizeOf(this.incomplete(etag))) ?? 0;
  }

  /** Makes a file of a snapshot point to its blob; a copy where links are not possible (Windows without developer mode). */
  async point(commit: string, file: string, etag: string): Promise<string> {
    const pointer = this.pointer(commit, file);
    const blob = this.blob(etag);
    if ((await sizeOf(pointer)) !== null) return pointer;
    await writing(pointer, async () => {
      await mkdir(dirname(pointer), { recursive: true });
      try {
        await symlink(relative(dirname(pointer), blob), pointer);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
          if ((await sizeOf(pointer)) !== null) return;
          await replaceLink(relative(dirname(pointer), blob), pointer);
          return;
        }
        await link(blob, pointer).catch(() => copyFile(blob, pointer));
      }
    });
    return pointer;
  }
}

/** A link that points nowhere, since its blob was deleted. */
async function replaceLink(target: string, pointer: string): Promise<void> {
  const temporary = `${pointer}.${process.pid}`;
  await symlink(target, temporary);
  await rename(temporary, pointer);
}

/** Size of a file, links followed; null when there is none. */
export const sizeOf = (path: string): Promise<number | null> =>
  stat(path).then(
    (info) => (info.isFile() ? info.size : null),
    () => null,
  );

/** Errors: HUB_CACHE_UNWRITABLE, HUB_DISK_FULL. */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw cacheUnwritable(path, error);
  }
}

/** Every snapshot in the cache: of each repository the one that main was at, else the newest. */
export async function cachedModels(cache: string): Promise<CachedModel[]> {
  const names = (await readdir(cache).catch(() => [])).filter((name) => name.startsWith('models--')).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const repo = name.slice('models--'.length).replaceAll('--', '/');
      const entry = new CacheRepo(cache, repo);
      const commit = (await entry.commitOf('main')) ?? (await newest(join(entry.folder, 'snapshots')));
      const path = commit === null ? null : entry.snapshot(commit);
      return path !== null && (await lstat(path).catch(() => null))?.isDirectory()
        ? { repo, commit: commit as string, path: await realpath(path) }
        : null;
    }),
  );
  return found.filter((model) => model !== null);
}

async function newest(snapshots: string): Promise<string | null> {
  const names = (await readdir(snapshots).catch(() => [])).filter((name) => COMMIT.test(name));
  const times = await Promise.all(names.map(async (name) => (await stat(join(snapshots, name)).catch(() => null))?.mtimeMs ?? 0));
  return names.sort((a, b) => (times[names.indexOf(b)] as number) - (times[names.indexOf(a)] as number))[0] ?? null;
}
