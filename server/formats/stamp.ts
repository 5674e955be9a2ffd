import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Checkpoint } from './checkpoint.js';

/** What a folder says of its weights in files of their own. */
const BESIDE = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];

/** Which bytes a checkpoint's files hold, as far as the file system tells: other texts after one of them was written or replaced. */
export interface Stamp {
  readonly weights: string;
  readonly beside: string;
}

export async function stampOf({ path: folder, files }: Pick<Checkpoint, 'path' | 'files'>): Promise<Stamp> {
  const [weights, beside] = await Promise.all([
    stampAll(files.map((file) => file.path)),
    stampAll(BESIDE.map((name) => path.join(folder, name))),
  ]);
  return { weights, beside };
}

async function stampAll(files: readonly string[]): Promise<string> {
  const found = await Promise.all(files.map((file) => stat(file).catch(() => null)));
  return found.map((file) => (file ? `${file.ino} ${file.size} ${file.mtimeMs}` : 'none')).join();
}
