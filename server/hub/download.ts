import { type FileHandle, mkdir, open, rename, rm, statfs, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LabError } from '../protocol/errors.js';
import { CacheRepo, sizeOf, writing } from './cache.js';
import { beginChecksum, updateFrom } from './checksum.js';
import { type FileLocation, type HubClient, type HubFile, type HubModel, pause } from './client.js';
import { checksumWrong, diskFull, interrupted, networkError, unexpectedAnswer } from './errors.js';
import { withLock } from './lock.js';

/** Times that a connection may break without a byte more. */
const BREAKS = 5;
const FIRST_PAUSE_MS = 300;
/** A connection without a byte for so long is broken. */
const STALLED_MS = 30_000;

export type Progress = (done: number, total: number, what: string) => void;

/** Bytes that the person can still write at `folder`, or at the nearest folder above that there is. */
export async function freeBytes(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at)) {
    const info = await statfs(at).catch(() => null);
    if (info) return info.bavail * info.bsize;
    if (dirname(at) === at) return Number.POSITIVE_INFINITY;
  }
}

/**
 * Downloads files of a model into the cache, each once, and returns the snapshot's folder. What is there is taken; what is there in part goes
 * on; nothing appears in the snapshot before all of it is there and has the right checksum.
 * Errors: those of HubClient, HUB_DISK_FULL, HUB_CHECKSUM, HUB_INTERRUPTED, HUB_CACHE_UNWRITABLE, CANCELLED.
 */
export async function download(
  client: HubClient,
  cache: string,
  { repo, revision, commit }: HubModel,
  files: readonly HubFile[],
  progress: Progress,
): Promise<string> {
  const folder = new CacheRepo(cache, repo);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const present = await Promise.all(files.map(({ etag }) => folder.bytesOf(etag)));
  const missing = total - present.reduce((sum, bytes, i) => sum + Math.min(bytes, files[i]?.bytes ?? 0), 0);
  const free = await freeBytes(cache);
  if (missing > free) throw diskFull(missing, free, cache);
  let before = 0;
  const etags: string[] = [];
  for (const file of files) {
    const report = (done: number) => progress(before + done, total, file.path);
    report(0);
    etags.push(
      await fetchBlob(client, folder, {
        repo,
        commit,
        file,
        report,
        wait: () => progress(before, total, `Waiting for another download of ${file.path}`),
      }),
    );
    before += file.bytes;
  }
  for (const [i, file] of files.entries()) await folder.point(commit, file.path, etags[i] as string);
  await folder.remember(revision, commit);
  progress(total, total, 'Done');
  return folder.snapshot(commit);
}

interface Task {
  readonly repo: string;
  readonly commit: string;
  readonly file: HubFile;
  report(done: number): void;
  wait(): void;
}

/** Returns the ETag under which the file is in `blobs`. */
async function fetchBlob(client: HubClient, folder: CacheRepo, task: Task): Promise<string> {
  const { file, repo, commit } = task;
  if ((await sizeOf(folder.blob(file.etag))) === file.bytes) return file.etag;
  const location = await client.locate(repo, commit, file.path);
  const { etag } = location;
  if (!/^[\w.-]+$/.test(etag) || location.bytes !== file.bytes)
    throw unexpectedAnswer(location.url, 'its size or ETag is not that of the list');
  await withLock(folder.lock(etag), client.signal, task.wait, async () => {
    if ((await sizeOf(folder.blob(etag))) === file.bytes) return;
    await receive(client, folder, location, task);
  });
  return etag;
}

/** Writes what is missing behind what there is, checks all of it, and only then gives it its name. */
async function receive(client: HubClient, folder: CacheRepo, location: FileLocation, task: Task): Promise<void> {
  const { etag, bytes } = location;
  const incomplete = folder.incomplete(etag);
  await writing(incomplete, () => mkdir(dirname(incomplete), { recursive: true }));
  let done = (await sizeOf(incomplete)) ?? 0;
  if (done > bytes) {
    await writing(incomplete, () => truncate(incomplete, 0));
    done = 0;
  }
  const hash = beginChecksum(etag, bytes);
  await updateFrom(hash, incomplete, done);
  task.report(done);
  const file = await writing(incomplete, () => open(incomplete, 'a'));
  try {
    await rest(client, location, task, { file, hash, done });
  } finally {
    await file.close();
  }
  const found = hash?.digest('hex') ?? etag;
  if (found !== etag) {
    await rm(incomplete, { force: true });
    throw checksumWrong(task.file.path, etag, found);
  }
  await writing(folder.blob(etag), () => rename(incomplete, folder.blob(etag)));
}

interface Receiving {
  readonly file: FileHandle;
  readonly hash: ReturnType<typeof beginChecksum>;
  /** Bytes that are in the file. */
  done: number;
}

/** Goes on after a connection broke, as long as each brings something. */
async function rest(client: HubClient, first: FileLocation, task: Task, state: Receiving): Promise<void> {
  let location = first;
  for (let breaks = 0; state.done < location.bytes; ) {
    const before = state.done;
    try {
      await stream(client, location, task, state);
      if (state.done < location.bytes) throw new Error('the connection ended early');
    } catch (error) {
      if (client.signal.aborted) throw networkError(error, '', client.signal);
      if (error instanceof LabError && !PASSING.has(error.code)) throw error;
      breaks = state.done > before ? 1 : breaks + 1;
      if (breaks >= BREAKS) throw error instanceof LabError ? error : interrupted(task.file.path, error);
      await pause(FIRST_PAUSE_MS * 2 ** breaks, client.signal);
      // Signed addresses expire.
      location = await client.locate(task.repo, task.commit, task.file.path);
    }
  }
}

const PASSING = new Set(['HUB_OFFLINE', 'HUB_UNAVAILABLE']);

async function stream(client: HubClient, { url, bytes }: FileLocation, task: Task, state: Receiving): Promise<void> {
  const answer = await client.content(task.repo, url, state.done);
  if (answer.body === null) return;
  const from = Number(/^bytes (\d+)-/.exec(answer.headers.get('content-range') ?? '')?.[1] ?? 0);
  // A server without ranges sends all of it again: what is there already is passed over.
  let skip = state.done - from;
  if (skip < 0 || answer.status === 416) throw unexpectedAnswer(url, `a range from ${from} instead of ${state.done}`);
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await within(STALLED_MS, reader.read(), client.signal);
      if (done) return;
      const part = value.subarray(Math.min(skip, value.length));
      skip = Math.max(0, skip - value.length);
      if (part.length === 0) continue;
      if (state.done + part.length > bytes) throw unexpectedAnswer(url, `more than ${bytes} bytes`);
      await writing(task.file.path, () => state.file.writeFile(part));
      state.hash?.update(part);
      state.done += part.length;
      task.report(state.done);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Rejects when it takes longer, or with CANCELLED. */
async function within<T>(ms: number, promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    if (signal.aborted) throw networkError(error, '', signal);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
