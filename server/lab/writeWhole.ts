import { rename, writeFile } from 'node:fs/promises';

/** Replaces a file whole: a reader finds the old text or the new one, never a part. */
export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
