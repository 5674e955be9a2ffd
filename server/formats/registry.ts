import { extname, join } from 'node:path';
import type { Checkpoint, Format } from './checkpoint.js';
import { formatError } from './errors.js';
import { gguf } from './gguf.js';
import { partOf } from './ggufParts.js';
import { holdsWeights, openModelFolder } from './hfFolder.js';
import { listFolder } from './modelFolder.js';
import { npy } from './npy.js';
import { onnx } from './onnx.js';
import { pth } from './pth.js';
import { statPath, withFile } from './rangedFile.js';
import { safetensors } from './safetensors.js';
import { scaled } from './scaled.js';
import { withTold } from './told.js';
import { unwrapped } from './wrapped.js';

/** The first that matches opens a file, and is taken from a folder with a file of each. */
export const formats: readonly Format[] = [
  gguf, //
  npy,
  pth,
  onnx,
  safetensors,
];

/** The format of a file by its name and first bytes, or null. */
export const formatOf = (path: string, firstBytes: Uint8Array): Format | null =>
  formats.find((format) => format.matches(path, firstBytes)) ?? null;

/** Opens a Hugging Face folder, a folder that holds a single model file, or such a file. Reads headers only. Throws coded errors with file and offset. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  if ((await statPath(path)).isDirectory()) {
    const names = await listFolder(path);
    if (holdsWeights(names)) return presented(await openModelFolder(path));
    const file = onlyModelIn(names) ?? (await exportedIn(path, names));
    return file === null ? presented(await openModelFolder(path)) : openCheckpoint(join(path, file));
  }
  const firstBytes = await withFile(path, (file) => file.read(0, Math.min(16, file.bytes)));
  const format = formatOf(path, firstBytes);
  if (format === null) throw formatError('FORMAT_UNKNOWN', path, 0, 'This is not a model file that Model Lab knows.');
  return presented(await format.open(path));
}

const presented = (checkpoint: Checkpoint): Checkpoint => withTold(scaled(unwrapped(checkpoint)));

/** The one file, whole or in parts, that a format finds among the names of a folder. */
export function onlyModelIn(names: ReadonlySet<string>): string | null {
  for (const { extensions } of formats.filter(({ arrays }) => !arrays)) {
    const files = [...names].filter((name) => extensions.includes(extname(name).toLowerCase()));
    const models = files.filter((name) => (partOf(name)?.place ?? 1) === 1);
    if (models.length === 1) return models[0] as string;
  }
  return null;
}

/** The graph that exporters put into a folder of its own below the config and the tokenizer, at full precision. */
async function exportedIn(folder: string, names: ReadonlySet<string>): Promise<string | null> {
  if (!names.has('onnx')) return null;
  const inside = await listFolder(join(folder, 'onnx')).catch(() => new Set<string>());
  const file = inside.has('model.onnx') ? 'model.onnx' : onlyModelIn(inside);
  return file === null ? null : join('onnx', file);
}
