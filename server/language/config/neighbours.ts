import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { tellingTensors } from '../../architectures/inferred/telling.js';
import { readTensors } from '../../formats/read.js';
import { openCheckpoint } from '../../formats/registry.js';
import { readSafetensorsHeader } from '../../formats/safetensorsHeader.js';
import { parseTokenizerJson } from '../../tokenizer/tokenizerJson.js';
import type { Neighbours } from './check.js';
import type { WeightHeaders } from './weights.js';

/** Ids of a tokenizer.json: the largest, plus one. */
export function tokenizerSize(json: string): number {
  const { model, added_tokens } = parseTokenizerJson(json);
  const own = Array.isArray(model.vocab) ? [model.vocab.length - 1] : Object.values(model.vocab as Record<string, number>);
  let largest = -1;
  for (const id of own) largest = Math.max(largest, id);
  for (const { id } of added_tokens) largest = Math.max(largest, id);
  return largest + 1;
}

/** Headers of model.safetensors, or of the shards that an index names. */
async function headersOf(file: string): Promise<WeightHeaders> {
  const shards = file.endsWith('.index.json')
    ? Object.values(JSON.parse(await readFile(file, 'utf8')).weight_map as Record<string, string>)
    : [path.basename(file)];
  const headers = await Promise.all(
    [...new Set(shards)].map((shard) => readSafetensorsHeader(path.join(path.dirname(file), shard), 0)),
  );
  return new Map(
    headers.flatMap(({ declared }) => declared.map(({ entry: { name, dtype, shape } }) => [name, { dtype, shape }] as const)),
  );
}

/** The few vectors that a family may be told by when nobody names it. */
async function norms(folder: string): Promise<ReadonlyMap<string, Float32Array>> {
  const checkpoint = await openCheckpoint(folder);
  return readTensors(checkpoint, tellingTensors(checkpoint.tensors.keys()));
}

/** Reads tokenizer.json and the headers of the weights beside a config, again only when they changed. */
export class NeighbourReader {
  readonly #known = new Map<string, { readonly changed: number; readonly value: unknown }>();

  async read(folder: string): Promise<Neighbours> {
    const tokenizerFile = path.join(folder, 'tokenizer.json');
    const weightFiles = ['model.safetensors', 'model.safetensors.index.json'].map((name) => path.join(folder, name));
    const tokenizer = await this.#cached(tokenizerFile, async () => tokenizerSize(await readFile(tokenizerFile, 'utf8')));
    for (const file of weightFiles) {
      const weights = await this.#cached(file, () => headersOf(file));
      if (weights !== null) return { tokenizer, weights, values: await this.#cached(`${file}#`, () => norms(folder), file) };
    }
    return { tokenizer, weights: null };
  }

  /** Null when the file is missing or damaged: opening the model says why, a config's diagnostics need not. */
  async #cached<T>(key: string, read: () => Promise<T>, file = key): Promise<T | null> {
    const changed = (await stat(file).catch(() => null))?.mtimeMs;
    if (changed === undefined) return null;
    const known = this.#known.get(key);
    if (known?.changed === changed) return known.value as T | null;
    const value = await read().catch(() => null);
    this.#known.set(key, { changed, value });
    return value;
  }
}
