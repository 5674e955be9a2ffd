import { basename, dirname } from 'node:path';
import type { Format } from './checkpoint.js';
import { openIfShard } from './hfFolder.js';
import { readModelFolder } from './modelFolder.js';
import { readSafetensorsHeader } from './safetensorsHeader.js';
import { tensorTable } from './tensorTable.js';

/** A .safetensors file: with the config and tokenizer of its folder when there are any; the whole model when it is a shard of one. */
export const safetensors: Format = {
  id: 'safetensors',
  extensions: ['.safetensors'],
  // Without the extension, as in the Hugging Face cache: a length below 2^32, then "{".
  matches: (path, first) =>
    path.toLowerCase().endsWith('.safetensors') || (first[8] === 0x7b && first.subarray(4, 8).every((b) => b === 0)),
  async open(path) {
    const whole = await openIfShard(path);
    if (whole !== null) return whole;
    const { file, declared, metadata } = await readSafetensorsHeader(path, 0);
    const tensors = tensorTable(declared, [file]);
    return {
      path,
      name: basename(path),
      format: 'safetensors',
      files: [file],
      tensors,
      metadata,
      ...(await readModelFolder(dirname(path))),
    };
  },
};
