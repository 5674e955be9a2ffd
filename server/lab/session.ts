import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../formats/writeWhole.js';
import type { RunId, RunRecipe } from '../protocol/runs.js';

/** What a restart needs: which models were open, and the recipes of the runs. */
export interface Session {
  readonly models: readonly string[];
  readonly runs: readonly { readonly id: RunId; readonly created: number; readonly recipe: RunRecipe }[];
  /** Recently opened checkpoints, newest first. */
  readonly recent: readonly string[];
}

export const emptySession: Session = { models: [], runs: [], recent: [] };

const FILE = 'session.json';

const list = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : []);

/** The session of one workspace on disk. Each write replaces the file whole; writes follow each other. */
export class SessionFile {
  #writing: Promise<void> = Promise.resolve();
  #waiting: Session | null = null;

  constructor(private readonly folder: string) {}

  /** What was saved last; nothing when there is no file or it is not ours. */
  async load(): Promise<Session> {
    try {
      const saved = JSON.parse(await readFile(path.join(this.folder, FILE), 'utf8')) as Partial<Session> | null;
      return { models: list(saved?.models), runs: list(saved?.runs), recent: list(saved?.recent) };
    } catch {
      return emptySession;
    }
  }

  save(session: Session): Promise<void> {
    const idle = this.#waiting === null;
    this.#waiting = session;
    if (idle) this.#writing = this.#writing.then(() => this.#write()).catch(() => undefined);
    return this.#writing;
  }

  async #write(): Promise<void> {
    const session = this.#waiting;
    this.#waiting = null;
    const file = path.join(this.folder, FILE);
    await mkdir(this.folder, { recursive: true });
    await writeWhole(file, (opened) => opened.writeFile(JSON.stringify(session)));
  }
}
