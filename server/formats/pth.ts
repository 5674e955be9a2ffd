import { basename, dirname } from 'node:path';
import type { Format } from './checkpoint.js';
import { openIfShard } from './hfFolder.js';
import { readModelFolder } from './modelFolder.js';
import { readPthHeader } from './pthHeader.js';
import { presentRwkv } from './rwkvPth.js';
import { tensorTable } from './tensorTable.js';

/**
 * A PyTorch checkpoint (torch.save, zip format of PyTorch ≥ 1.6): with the config and tokenizer of its folder when there are any; the
 * whole model when it is a shard of one. RWKV's is presented as Hugging Face's.
 */
export const pth: Format = {
  id: 'pth',
  extensions: ['.pth', '.pt', '.ckpt'],
  matches: (path, first) => /\.(pth|pt|bin|ckpt)$/i.test(path) || String.fromCharCode(...first.subarray(0, 4)) === 'PK\x03\x04',
  async open(path) {
    const whole = await openIfShard(path);
    if (whole !== null) return whole;
    const { file, declared } = await readPthHeader(path, 0);
    const rwkv = presentRwkv(declared, path);
    const folder = await readModelFolder(dirname(path));
    return {
      path,
      name: basename(path),
      format: 'pth',
      files: [file],
      // Tied weights are one storage under two names, so tensors may share bytes.
      tensors: tensorTable(rwkv?.declared ?? declared, [file], true),
      metadata: {},
      config: rwkv?.config ?? folder.config,
      generation: folder.generation,
      tokenizer: folder.tokenizer ?? (rwkv?.config.vocab_size === 65536 ? { kind: 'rwkv_world' } : null),
    };
  },
};
