import { basename } from 'node:path';
import type { Format, TokenizerSource } from './checkpoint.js';
import { formatError } from './errors.js';
import { configOfGguf } from './ggufConfig.js';
import { type GgufHeader, readGgufHeader } from './ggufHeader.js';
import { canonicalTensors } from './ggufNames.js';
import { resolvePath, withFile } from './rangedFile.js';
import { tensorTable } from './tensorTable.js';

const shownItems = 8;

/** GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), presented with Hugging Face's names and config keys. */
export const gguf: Format = {
  id: 'gguf',
  extensions: ['.gguf'],
  matches: (path, first) => path.toLowerCase().endsWith('.gguf') || String.fromCharCode(...first.subarray(0, 4)) === 'GGUF',
  async open(path) {
    return withFile(path, async (file) => {
      const header = await readGgufHeader(file);
      const parts = header.metadata.get('split.count')?.value;
      if (typeof parts === 'number' && parts > 1)
        throw formatError('GGUF_SPLIT', path, null, `This file is one part of a model split in ${parts}.`);
      const files = [{ path: await resolvePath(path), bytes: file.bytes }];
      const stored = tensorTable(header.declared, [{ path, bytes: file.bytes }]);
      const config = configOfGguf(header, stored, path);
      return {
        path,
        name: basename(path),
        format: 'gguf',
        files,
        tensors: tensorTable(canonicalTensors(header.declared, config, path), files, true),
        metadata: Object.fromEntries([...header.metadata].map(([key, { value }]) => [key, abbreviated(value)])),
        config,
        generation: generationOf(header),
        tokenizer: tokenizerOf(header),
      };
    });
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
