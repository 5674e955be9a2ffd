import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { dtypes } from '../../server/formats/dtypes.js';
import { ggmlTypes } from '../../server/formats/ggml.js';
import { architecture, f32, ggufFile, ggufPair, ggufTensor, u32 } from '../formats/craft.js';

/** Where fp16 scales lie in a block, and values that give weights of about ±0.1. */
const scales: Readonly<Record<string, readonly (readonly [at: number, code: number])[]>> = {
  Q4_0: [[0, 0x20a0]],
  Q4_1: [
    [0, 0x20a0],
    [2, 0xac00],
  ],
  Q8_0: [[0, 0x1280]],
  Q4_K: [
    [0, 0x068e],
    [2, 0x1244],
  ],
  Q5_K: [
    [0, 0x0347],
    [2, 0x1244],
  ],
  Q6_K: [[208, 419]],
  Q3_K: [[108, 0x0a00]],
};

export const sizes = { layers: 2, D: 256, F: 512, H: 4, K: 2, E: 64, vocab: 96 };

/** What a file of a person looks like: types mixed within a block, and one that cannot be multiplied as it is (Q3_K). */
const types: Readonly<Record<string, string>> = {
  token_embd: 'Q6_K',
  output: 'Q8_0',
  attn_q: 'Q4_0',
  attn_k: 'Q5_K',
  attn_v: 'Q4_1',
  attn_output: 'Q3_K',
  ffn_gate: 'Q4_K',
  ffn_up: 'Q8_0',
  ffn_down: 'Q6_K',
};

/** A llama in a GGUF file of random blocks, the same every time. Returns its path in a new temporary folder. */
export async function quantisedLlama(tied = false): Promise<string> {
  const { layers, D, F, H, K, E, vocab } = sizes;
  let seed = 7;
  const byte = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    return seed >>> 24;
  };
  const tensors: Buffer[] = [];
  const data: Buffer[] = [];
  let at = 0;
  const add = (name: string, dims: readonly number[], type: string) => {
    const { elements, bytes } = dtypes.get(type) as { elements: number; bytes: number };
    const blocks = dims.reduce((n, d) => n * d, 1) / elements;
    const values =
      type === 'F32' ? Buffer.from(new Float32Array(blocks).map(() => 0.5 + byte() / 256).buffer) : Buffer.alloc(blocks * bytes);
    if (type !== 'F32')
      for (let block = 0; block < blocks; block++) {
        for (let i = 0; i < bytes; i++) values[block * bytes + i] = byte();
        for (const [offset, code] of scales[type] ?? []) values.writeUInt16LE(code, block * bytes + offset);
      }
    const id = [...ggmlTypes].find(([, known]) => known === type)?.[0] as number;
    tensors.push(ggufTensor(name, dims, id, at));
    data.push(values, Buffer.alloc((32 - (values.length % 32)) % 32));
    at += values.length + ((32 - (values.length % 32)) % 32);
  };
  add('token_embd.weight', [D, vocab], types.token_embd as string);
  if (!tied) add('output.weight', [D, vocab], types.output as string);
  add('output_norm.weight', [D], 'F32');
  for (let i = 0; i < layers; i++) {
    const matrix = (name: string, dims: readonly number[]) => add(`blk.${i}.${name}.weight`, dims, types[name] as string);
    add(`blk.${i}.attn_norm.weight`, [D], 'F32');
    add(`blk.${i}.ffn_norm.weight`, [D], 'F32');
    matrix('attn_q', [D, H * E]);
    matrix('attn_k', [D, K * E]);
    matrix('attn_v', [D, K * E]);
    matrix('attn_output', [H * E, D]);
    matrix('ffn_gate', [D, F]);
    matrix('ffn_up', [D, F]);
    matrix('ffn_down', [F, D]);
  }
  const number = (key: string, value: number) => ggufPair(`llama.${key}`, 4, u32(value));
  const pairs = [
    architecture('llama'),
    number('block_count', layers),
    number('embedding_length', D),
    number('feed_forward_length', F),
    number('attention.head_count', H),
    number('attention.head_count_kv', K),
    number('context_length', 512),
    ggufPair('llama.attention.layer_norm_rms_epsilon', 6, f32(1e-5)),
  ];
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'model-lab-quantised-')), 'model.gguf');
  await writeFile(file, Buffer.concat([ggufFile({ pairs, tensors }), ...data]));
  return file;
}
