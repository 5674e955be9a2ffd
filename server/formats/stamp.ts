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

export async function stampOf(checkpoint: Pick<Checkpoint, 'path' | 'files'>): Promise<Stamp> {
  const beside = BESIDE.map((name) => path.join(checkpoint.path, name));
  return { weights: await weightStamp(checkpoint), beside: await stampAll(beside) };
}

/** The weights' alone. */
export const weightStamp = ({ files }: Pick<Checkpoint, 'files'>): Promise<string> => stampAll(files.map((file) => file.path));

async function stampAll(files: readonly string[]): Promise<string> {
  const found = await Promise.all(files.map((file) => stat(file).catch(() => null)));
  return found.map((file) => (file ? `${file.ino} ${file.size} ${file.mtimeMs}` : 'none')).join();
}
