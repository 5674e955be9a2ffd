import assert from 'node:assert/strict';
import { readTensor } from '../../../server/formats/read.js';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { readImage } from '../../../server/image/image.js';
import { sizeOf } from '../../../server/tensor/tensor.js';
import { createTokenizer } from '../../../server/tokenizer/registry.js';

type Region = readonly [from: number, to: number];

/** One reader at work: a file that is harmed, and what is done with it. */
export interface Subject {
  readonly format: string;
  /** Below test/fixtures. */
  readonly file: string;
  readonly region: (data: Buffer) => Region;
  /** Of the usual number of copies: a harmed JPEG ends the codec, and starting one takes milliseconds. */
  readonly share?: number;
  /** Whole files that lie beside it. */
  readonly beside?: readonly string[];
  /** `path` is the harmed file, `folder` where it lies. Throws what the reader throws. */
  readonly open: (path: string, folder: string) => Promise<void>;
}

const all = (data: Buffer): Region => [0, data.length];

/** Opens a checkpoint, and reads from it what it says it has. */
async function model(path: string): Promise<void> {
  const { tensors, tokenizer, ...checkpoint } = await openCheckpoint(path);
  for (const entry of [...tensors.values()].slice(0, 3))
    if (sizeOf(entry.shape) < 1 << 20)
      assert.equal((await readTensor({ tensors, tokenizer, ...checkpoint }, entry)).length, sizeOf(entry.shape));
  if (tokenizer) (await createTokenizer(tokenizer)).encode('Anna has 3 kites, 你好', { special: true });
}
const folder = (_: string, inside: string) => model(inside);
const image = async (path: string) => void (await readImage(path));

const parts = [1, 2, 3].map((place) => `formats/llama_parts-0000${place}-of-00003.gguf`) as [string, string, string];
const bert = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].map(
  (name) => `oracles_encoders/bert_folder/${name}`,
);
const others = (all: readonly string[], file: string) => all.filter((name) => name !== file);

export const subjects: readonly Subject[] = [
  {
    format: 'safetensors',
    file: 'oracles/llama/model.safetensors',
    region: (data) => [0, 8 + Number(data.readBigUInt64LE(0))],
    open: model,
  },
  { format: 'gguf', file: 'oracles/gguf_llama_q4_0/model.gguf', region: () => [0, 4100], open: model },
  { format: 'gguf', file: parts[0], region: () => [0, 1500], beside: others(parts, parts[0]), open: model },
  { format: 'gguf', file: parts[1], region: () => [0, 700], beside: others(parts, parts[1]), open: model },
  { format: 'pth', file: 'oracles/rwkv_pth_v7/model.pth', region: () => [0, 6700], open: model },
  { format: 'pth', file: 'oracles/rwkv_pth_v7/model.pth', region: (data) => [data.length - 6200, data.length], open: model },
  { format: 'legacy pth', file: 'formats/legacy.bin', region: () => [0, 570], open: model },
  { format: 'npy', file: 'formats/arrays/given.npy', region: () => [0, 128], open: model },
  { format: 'npz', file: 'formats/arrays/all.npz', region: all, open: model },
  { format: 'onnx', file: 'onnx/types.onnx', region: all, open: model },
  {
    format: 'onnx',
    file: 'onnx/external/model.onnx',
    region: all,
    beside: ['onnx/external/weights.bin', 'onnx/external/more/weights.bin'],
    open: model,
  },
  {
    format: 'config.json',
    file: 'oracles/llama/config.json',
    region: all,
    beside: ['oracles/llama/model.safetensors'],
    open: folder,
  },
  {
    format: 'tokenizer.json',
    file: 'oracles_encoders/bert_folder/tokenizer.json',
    region: all,
    beside: others(bert, 'oracles_encoders/bert_folder/tokenizer.json'),
    open: folder,
  },
  { format: 'png', file: 'images/rgba.png', region: all, open: image },
  { format: 'png', file: 'images/interlaced.png', region: all, open: image },
  { format: 'jpeg', file: 'images/grey.jpg', region: all, share: 0.1, open: image },
  { format: 'jpeg', file: 'images/progressive.jpg', region: all, share: 0.1, open: image },
];
