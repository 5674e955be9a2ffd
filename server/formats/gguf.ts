import { basename } from 'node:path';
import type { Format, TokenizerSource } from './checkpoint.js';
import { configOfGguf } from './ggufConfig.js';
import type { GgufHeader } from './ggufHeader.js';
import { canonicalTensors } from './ggufNames.js';
import { type GgufPart, partOf, readGgufParts } from './ggufParts.js';
import { resolvePath } from './rangedFile.js';
import { tensorTable } from './tensorTable.js';

const shownItems = 8;

/** GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), presented with Hugging Face's names and config keys; any part opens a model in parts. */
export const gguf: Format = {
  id: 'gguf',
  extensions: ['.gguf'],
  matches: (path, first) => path.toLowerCase().endsWith('.gguf') || String.fromCharCode(...first.subarray(0, 4)) === 'GGUF',
  async open(path) {
    const parts = await readGgufParts(path);
    const [first] = parts as [GgufPart];
    const { header } = first;
    const files = await Promise.all(parts.map(async (part) => ({ path: await resolvePath(part.path), bytes: part.bytes })));
    const stored = tensorTable(
      parts.flatMap((part) => part.header.declared),
      parts,
    );
    const config = configOfGguf(header, stored, first.path);
    const declared = parts.flatMap((part) => canonicalTensors(part.header.declared, config, part.path));
    return {
      path: first.path,
      name: (parts.length > 1 ? partOf(path)?.name : null) ?? basename(path),
      format: 'gguf',
      files,
      tensors: tensorTable(declared, files, true),
      metadata: Object.fromEntries([...header.metadata].map(([key, { value }]) => [key, abbreviated(value)])),
      config,
      generation: generationOf(header),
      tokenizer: tokenizerOf(header),
    };
  },
};

function tokenizerOf({ metadata }: GgufHeader): TokenizerSource | null {
  if (metadata.get('tokenizer.ggml.model')?.value === 'rwkv') return { kind: 'rwkv_world' };
  if (!metadata.has('tokenizer.ggml.tokens')) return null;
  const own = [...metadata].filter(([key]) => key.startsWith('tokenizer.'));
  return { kind: 'gguf', metadata: Object.fromEntries(own.map(([key, { value }]) => [key, value])) };
}

/** End-of-turn ends a generation as end-of-sequence does. */
function generationOf({ metadata }: GgufHeader): Record<string, unknown> {
  const id = (name: string) => metadata.get(`tokenizer.ggml.${name}_token_id`)?.value;
  const ends = [...new Set([id('eos'), id('eot')])].filter((end) => typeof end === 'number');
  return { ...(id('bos') !== undefined && { bos_token_id: id('bos') }), ...(ends.length > 0 && { eos_token_id: ends }) };
}

const abbreviated = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.length > 2 * shownItems
      ? { length: value.length, first: value.slice(0, shownItems).map(abbreviated) }
      : value.map(abbreviated)
    : value;
