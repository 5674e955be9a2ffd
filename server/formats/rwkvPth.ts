import { sizeOf } from '../tensor/tensor.js';
import type { TensorEntry } from './checkpoint.js';
import { formatError } from './errors.js';
import { own } from './own.js';
import { type Declared, quoted } from './tensorTable.js';

/** Names of the original RWKV-7 files (https://github.com/BlinkDL/RWKV-LM) inside a block → those of Hugging Face's checkpoints. */
const blockNames: Readonly<Record<string, string>> = {
  'ln0.weight': 'pre_norm.weight',
  'ln0.bias': 'pre_norm.bias',
  'ln1.weight': 'attn_norm.weight',
  'ln1.bias': 'attn_norm.bias',
  'ln2.weight': 'ffn_norm.weight',
  'ln2.bias': 'ffn_norm.bias',
  ...Object.fromEntries(['r', 'w', 'k', 'v', 'a', 'g'].map((x) => [`att.x_${x}`, `attn.x_${x}`])),
  ...Object.fromEntries(
    ['w', 'a', 'v'].flatMap((x) => [
      [`att.${x}0`, `attn.${x}_lora.lora.2.bias`],
      [`att.${x}1`, `attn.${x}_lora.lora.0.weight`],
      [`att.${x}2`, `attn.${x}_lora.lora.2.weight`],
    ]),
  ),
  'att.g1': 'attn.g_lora.lora.0.weight',
  'att.g2': 'attn.g_lora.lora.2.weight',
  'att.k_k': 'attn.k_k',
  'att.k_a': 'attn.k_a',
  'att.r_k': 'attn.r_k',
  'att.receptance.weight': 'attn.r_proj.weight',
  'att.key.weight': 'attn.k_proj.weight',
  'att.value.weight': 'attn.v_proj.weight',
  'att.output.weight': 'attn.o_proj.weight',
  'att.ln_x.weight': 'attn.g_norm.weight',
  'att.ln_x.bias': 'attn.g_norm.bias',
  'ffn.x_k': 'ffn.x_k',
  'ffn.key.weight': 'ffn.key.weight',
  'ffn.value.weight': 'ffn.value.weight',
};
const topNames: Readonly<Record<string, string>> = {
  'emb.weight': 'model.embeddings.weight',
  'head.weight': 'lm_head.weight',
  'ln_out.weight': 'model.norm.weight',
  'ln_out.bias': 'model.norm.bias',
};
/** Low-rank factors: [in, out] in the file, [out, in] in Hugging Face's. */
const turned = /^att\.[wavg][12]$/;
/** Vectors, [1, 1, D] in the file. */
const vectors = /^att\.([wav]0|k_[ka])$|^ffn\.x_k$/;

interface Presented {
  readonly declared: readonly Declared[];
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * An RWKV .pth as Hugging Face would have it, or null when the tensors are not RWKV's. Versions before 7 keep their names and say
 * only which they are. Throws TENSOR_MISSING when a size cannot be told.
 */
export function presentRwkv(declared: readonly Declared[], file: string): Presented | null {
  const names = new Set(declared.map((d) => d.entry.name));
  if (names.has('blocks.0.att.r_k'))
    return { declared: declared.map((d) => ({ ...d, entry: canonical(d.entry) })), config: configOf(declared, file) };
  const version = names.has('blocks.0.att.time_maa_x')
    ? 6
    : names.has('blocks.0.att.ln_x.weight')
      ? 5
      : names.has('blocks.0.att.time_decay')
        ? 4
        : 0;
  return version === 0 ? null : { declared, config: { model_type: `rwkv${version}` } };
}

function canonical(entry: TensorEntry): TensorEntry {
  const [, block, inBlock] = /^blocks\.(\d+)\.(.+)$/.exec(entry.name) ?? [];
  if (inBlock === undefined) return { ...entry, name: own(topNames, entry.name) ?? entry.name };
  const known = own(blockNames, inBlock);
  if (known === undefined) return entry;
  const name = `model.layers.${block}.${known}`;
  if (turned.test(inBlock) && entry.shape.length === 2)
    return { ...entry, name, shape: [...entry.shape].reverse(), transpose: !entry.transpose };
  return { ...entry, name, shape: vectors.test(inBlock) ? [sizeOf(entry.shape)] : entry.shape };
}

/** Sizes as the tensors show them; the epsilons are the reference implementation's. */
function configOf(declared: readonly Declared[], file: string): Record<string, unknown> {
  const shapes = new Map(declared.map(({ entry }) => [entry.name, entry.shape]));
  const size = (name: string, axis: number): number => {
    const found = shapes.get(name)?.[axis];
    if (found === undefined)
      throw formatError('TENSOR_MISSING', file, null, `The file has no ${axis + 1}-dimensional tensor ${quoted(name)}.`);
    return found;
  };
  const blocks = new Set(declared.flatMap(({ entry }) => /^blocks\.(\d+)\./.exec(entry.name)?.[1] ?? []));
  const layers = blocks.size;
  for (let block = 0; block < layers; block++)
    if (!blocks.has(String(block)))
      throw formatError('TENSOR_MISSING', file, null, `The file has ${layers} blocks, but no block ${block}.`);
  const heads = size('blocks.0.att.r_k', 0);
  return {
    model_type: 'rwkv7',
    architectures: ['RWKV7ForCausalLM'],
    hidden_size: size('emb.weight', 1),
    vocab_size: size('emb.weight', 0),
    num_hidden_layers: layers,
    num_heads: heads,
    num_attention_heads: heads,
    head_dim: size('blocks.0.att.r_k', 1),
    intermediate_size: size('blocks.0.ffn.key.weight', 0),
    decay_low_rank_dim: size('blocks.0.att.w1', 1),
    a_low_rank_dim: size('blocks.0.att.a1', 1),
    gate_low_rank_dim: size('blocks.0.att.g1', 1),
    // The first block has no use for it, and some files leave it out there.
    v_low_rank_dim: size(layers > 1 ? 'blocks.1.att.v1' : 'blocks.0.att.v1', 1),
    norm_eps: 1e-5,
    _group_norm_eps: 64e-5,
    norm_bias: true,
    tie_word_embeddings: false,
  };
}
