import { rmSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface TemporaryFolder {
  /** Its real path. */
  readonly path: string;
  remove(): Promise<void>;
}

const folders = new Set<string>();
let watching = false;

/** An empty folder for large files. Whoever made it removes it; what is left when the process ends, also by Ctrl+C, goes then. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'model-lab-')));
  folders.add(folder);
  if (!watching) removeAtEnd();
  watching = true;
  const remove = async () => {
    await rm(folder, { recursive: true, force: true });
    folders.delete(folder);
  };
  return { path: folder, remove };
}

function removeAtEnd(): void {
  const removeAll = () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', removeAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      removeAll();
      // nobody listens any more: this time it ends the process, as it would have without us
      process.kill(process.pid, signal);
    });
}
