import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { tokenizerInvalid } from './errors.js';

/** A file of media/tokenizers, unpacked. media/ lies beside dist/ when bundled, two folders up in the sources. */
export async function readVocabulary(name: string): Promise<string> {
  const places = ['../media/', '../../media/'].map((media) =>
    fileURLToPath(new URL(`${media}tokenizers/${name}`, import.meta.url)),
  );
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw tokenizerInvalid(`${name} is missing from the extension's media folder`);
  const text: Buffer = await promisify(brotliDecompress)(await readFile(found));
  return text.toString('utf8');
}
