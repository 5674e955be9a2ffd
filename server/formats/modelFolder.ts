import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint, TokenizerSource } from './checkpoint.js';
import { checkConfig } from './config.js';
import { type FormatErrorCode, formatError } from './errors.js';
import { type JsonDocument, parseJson } from './json.js';
import { mountedFolder } from './mounts.js';
import { withFile } from './rangedFile.js';
import { quoted } from './tensorTable.js';
import { decodeText } from './text.js';

/** Gemma's tokenizer.json, the biggest in use, has 33 MB. */
const maxText = 64 << 20;

export type ModelFolder = Pick<Checkpoint, 'config' | 'generation' | 'tokenizer' | 'preprocessor'>;

/** What a folder says beside its weights; nulls for what it does not have. */
export async function readModelFolder(folder: string, names?: ReadonlySet<string>): Promise<ModelFolder> {
  const present = names ?? (await listFolder(folder));
  const json = async (name: string, code: FormatErrorCode) => (present.has(name) ? readJson(join(folder, name), code) : null);
  const config = await json('config.json', 'CONFIG_INVALID');
  const generation = await json('generation_config.json', 'CONFIG_INVALID');
  const processor = ['preprocessor_config.json', 'processor_config.json'].find((name) => present.has(name));
  const preprocessor = processor === undefined ? null : await json(processor, 'CONFIG_INVALID');
  return {
    config: config && checkConfig(config, join(folder, 'config.json')),
    generation: generation && checkConfig(generation, join(folder, 'generation_config.json')),
    tokenizer: await readTokenizer(folder, present, config),
    preprocessor: preprocessor && checkConfig(preprocessor, join(folder, processor as string)),
  };
}

async function readTokenizer(
  folder: string,
  present: ReadonlySet<string>,
  config: JsonDocument | null,
): Promise<TokenizerSource | null> {
  if (!present.has('tokenizer.json')) {
    const { model_type: type, vocab_size: vocab } = (config?.value ?? {}) as Record<string, unknown>;
    return typeof type === 'string' && type.startsWith('rwkv') && vocab === 65536 ? { kind: 'rwkv_world' } : null;
  }
  const tokenizerJson = await readText(join(folder, 'tokenizer.json'));
  const configJson = present.has('tokenizer_config.json') ? await readText(join(folder, 'tokenizer_config.json')) : null;
  return { kind: 'hf', tokenizerJson, configJson, chatTemplate: await readChatTemplate(folder, present) };
}

/** transformers' order: chat_template.jinja, chat_template.json, then the field of tokenizer_config.json (a text or a list of named ones). */
async function readChatTemplate(folder: string, present: ReadonlySet<string>): Promise<string | null> {
  if (present.has('chat_template.jinja')) return readText(join(folder, 'chat_template.jinja'));
  for (const name of ['chat_template.json', 'tokenizer_config.json']) {
    if (!present.has(name)) continue;
    const { value } = await readJson(join(folder, name), 'TOKENIZER_INVALID');
    const template = (value as { chat_template?: unknown } | null)?.chat_template;
    if (typeof template === 'string') return template;
    const named = Array.isArray(template) ? (template as { name?: unknown; template?: unknown }[]) : [];
    const usual = named.find((t) => t?.name === 'default') ?? named[0];
    if (typeof usual?.template === 'string') return usual.template;
  }
  return null;
}

/** Names in a folder; links count, since the Hugging Face cache consists of them. */
export async function listFolder(folder: string): Promise<ReadonlySet<string>> {
  const mounted = mountedFolder(folder);
  if (mounted) return mounted;
  try {
    return new Set(await readdir(folder));
  } catch {
    throw formatError('FILE_UNREADABLE', folder, null, 'The folder cannot be listed.');
  }
}

/** Throws SHARD_MISSING, which names the first of the shards that is not there. */
export function refuseMissing(folder: string, shards: readonly string[], present: ReadonlySet<string>): void {
  const missing = shards.filter((shard) => !present.has(shard));
  const [first] = missing;
  if (first === undefined) return;
  const message = `${missing.length} of ${shards.length} shards are missing, the first is ${quoted(first)}.`;
  throw formatError('SHARD_MISSING', join(folder, first), null, message);
}

const readBytes = (path: string) =>
  withFile(path, (file) => {
    if (file.bytes > maxText)
      throw formatError('HEADER_TOO_BIG', path, null, `The file has ${file.bytes} bytes; the limit is ${maxText}.`);
    return file.read(0, file.bytes);
  });
const readText = async (path: string) => decodeText(await readBytes(path), path, 0, 'The file');
export const readJson = async (path: string, code: FormatErrorCode) =>
  parseJson(await readBytes(path), { file: path, base: 0, code, what: 'The file', infinity: code === 'CONFIG_INVALID' });
