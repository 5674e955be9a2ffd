import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writing } from './cache.js';
import { pause } from './client.js';
import { networkError } from './errors.js';

const POLL_MS = 200;

/**
 * Holds the lock of a blob while `work` writes it. huggingface_hub locks the file with flock(2), which Node cannot: the `flock` of util-linux does it
 * for us. Where there is none (macOS, Windows), a file beside it keeps other windows of ours away.
 * @param waiting called when somebody else has it
 */
export async function withLock<T>(path: string, signal: AbortSignal, waiting: () => void, work: () => Promise<T>): Promise<T> {
  await writing(path, () => mkdir(dirname(path), { recursive: true }));
  const release = (await flock(path, signal, waiting)) ?? (await ownLock(`${path}.model-lab`, signal, waiting));
  try {
    return await work();
  } finally {
    await release();
  }
}

type Release = () => Promise<void>;

/** Null when the machine has no `flock`. The lock is held by a process that ends with its input. */
function flock(path: string, signal: AbortSignal, waiting: () => void): Promise<Release | null> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const patience = setTimeout(waiting, POLL_MS);
    const abort = () => {
      child.kill();
      reject(networkError(null, '', signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    const settled = () => {
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
    };
    child.once('error', () => {
      settled();
      resolve(null);
    });
    child.once('exit', () => {
      settled();
      resolve(null);
    });
    child.stdout.once('data', () => {
      settled();
      const ended = new Promise<void>((done) => child.once('close', () => done()));
      resolve(async () => {
        child.stdin.end();
        await ended;
      });
    });
  });
}

/** A file that only one can make. One that was left by a process that is gone is taken over. */
async function ownLock(path: string, signal: AbortSignal, waiting: () => void): Promise<Release> {
  for (let told = false; ; ) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return writing(path, () => Promise.reject(error));
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (owner > 0 && !isRunning(owner)) await rm(path, { force: true });
    if (!told) waiting();
    told = true;
    await pause(POLL_MS, signal);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
