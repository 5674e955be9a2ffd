import { mkdtemp, open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { floatToHalf } from '../../../server/tensor/half.js';

/** Dims of real models: benchmarks run on random weights of these shapes, since time does not depend on the values. */
export const smolLm2 = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  tie_word_embeddings: true,
  vocab_size: 49_152,
};

export type Tensors = readonly (readonly [name: string, shape: readonly number[]])[];

export function llamaTensors(c: typeof smolLm2): Tensors {
  const [D, F, H, K, E] = [c.hidden_size, c.intermediate_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim];
  const block = (i: number): Tensors =>
    (
      [
        ['input_layernorm', [D]],
        ['self_attn.q_proj', [H * E, D]],
        ['self_attn.k_proj', [K * E, D]],
        ['self_attn.v_proj', [K * E, D]],
        ['self_attn.o_proj', [D, H * E]],
        ['post_attention_layernorm', [D]],
        ['mlp.gate_proj', [F, D]],
        ['mlp.up_proj', [F, D]],
        ['mlp.down_proj', [D, F]],
      ] as const
    ).map(([name, shape]) => [`model.layers.${i}.${name}.weight`, shape] as const);
  return [
    ['model.embed_tokens.weight', [c.vocab_size, D]],
    ['model.norm.weight', [D]],
    ...Array.from({ length: c.num_hidden_layers }, (_, i) => block(i)).flat(),
  ];
}

/** GPT-2, 124M: matrices are stored [in, out]. */
export const gpt2Small = {
  architectures: ['GPT2LMHeadModel'],
  model_type: 'gpt2',
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  n_positions: 1024,
  layer_norm_epsilon: 1e-5,
  activation_function: 'gelu_new',
  tie_word_embeddings: true,
  vocab_size: 50_257,
};

export function gpt2Tensors({ n_embd: D, n_layer, n_positions, vocab_size }: typeof gpt2Small): Tensors {
  const affine = (name: string, shape: readonly number[]): Tensors => [
    [`transformer.${name}.weight`, shape],
    [`transformer.${name}.bias`, shape.slice(-1)],
  ];
  return [
    ['transformer.wte.weight', [vocab_size, D]],
    ['transformer.wpe.weight', [n_positions, D]],
    ...affine('ln_f', [D]),
    ...Array.from({ length: n_layer }, (_, i) => [
      ...affine(`h.${i}.ln_1`, [D]),
      ...affine(`h.${i}.attn.c_attn`, [D, 3 * D]),
      ...affine(`h.${i}.attn.c_proj`, [D, D]),
      ...affine(`h.${i}.ln_2`, [D]),
      ...affine(`h.${i}.mlp.c_fc`, [D, 4 * D]),
      ...affine(`h.${i}.mlp.c_proj`, [4 * D, D]),
    ]).flat(),
  ];
}

export const mamba130m = {
  architectures: ['MambaForCausalLM'],
  model_type: 'mamba',
  hidden_size: 768,
  intermediate_size: 1536,
  num_hidden_layers: 24,
  state_size: 16,
  conv_kernel: 4,
  time_step_rank: 48,
  expand: 2,
  hidden_act: 'silu',
  layer_norm_epsilon: 1e-5,
  residual_in_fp32: true,
  use_bias: false,
  use_conv_bias: true,
  tie_word_embeddings: true,
  vocab_size: 50_280,
};

export function mambaTensors(c: typeof mamba130m): Tensors {
  const [D, d, N, R] = [c.hidden_size, c.intermediate_size, c.state_size, c.time_step_rank];
  const block = (i: number): Tensors =>
    (
      [
        ['norm.weight', [D]],
        ['mixer.in_proj.weight', [2 * d, D]],
        ['mixer.conv1d.weight', [d, 1, c.conv_kernel]],
        ['mixer.conv1d.bias', [d]],
        ['mixer.x_proj.weight', [R + 2 * N, d]],
        ['mixer.dt_proj.weight', [d, R]],
        ['mixer.dt_proj.bias', [d]],
        ['mixer.A_log', [d, N]],
        ['mixer.D', [d]],
        ['mixer.out_proj.weight', [D, d]],
      ] as const
    ).map(([name, shape]) => [`backbone.layers.${i}.${name}`, shape] as const);
  return [
    ['backbone.embeddings.weight', [c.vocab_size, D]],
    ['backbone.norm_f.weight', [D]],
    ...Array.from({ length: c.num_hidden_layers }, (_, i) => block(i)).flat(),
  ];
}

export const rwkv191m = {
  architectures: ['RWKV7ForCausalLM'],
  model_type: 'rwkv7',
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  head_dim: 64,
  decay_low_rank_dim: 64,
  a_low_rank_dim: 64,
  v_low_rank_dim: 32,
  gate_low_rank_dim: 128,
  norm_eps: 1e-5,
  _group_norm_eps: 64e-5,
  tie_word_embeddings: false,
  vocab_size: 65_536,
};

export function rwkvTensors(c: typeof rwkv191m): Tensors {
  const [D, F, E] = [c.hidden_size, c.intermediate_size, c.head_dim];
  const affine = (name: string): Tensors => [
    [`${name}.weight`, [D]],
    [`${name}.bias`, [D]],
  ];
  const lora = (name: string, rank: number, bias: boolean): Tensors => [
    [`attn.${name}_lora.lora.0.weight`, [rank, D]],
    [`attn.${name}_lora.lora.2.weight`, [D, rank]],
    ...(bias ? ([[`attn.${name}_lora.lora.2.bias`, [D]]] as const) : []),
  ];
  const block = (i: number): Tensors =>
    [
      ...(i === 0 ? affine('pre_norm') : []),
      ...affine('attn_norm'),
      ...affine('ffn_norm'),
      ...affine('attn.g_norm'),
      ...['r', 'w', 'k', 'v', 'a', 'g'].map((name) => [`attn.x_${name}`, [D]] as const),
      ...['r', 'k', 'v', 'o'].map((name) => [`attn.${name}_proj.weight`, [D, D]] as const),
      ...lora('w', c.decay_low_rank_dim, true),
      ...lora('a', c.a_low_rank_dim, true),
      ...lora('v', c.v_low_rank_dim, true),
      ...lora('g', c.gate_low_rank_dim, false),
      ['attn.k_k', [D]] as const,
      ['attn.k_a', [D]] as const,
      ['attn.r_k', [D / E, E]] as const,
      ['ffn.x_k', [D]] as const,
      ['ffn.key.weight', [F, D]] as const,
      ['ffn.value.weight', [D, F]] as const,
    ].map(([name, shape]) => [`model.layers.${i}.${name}`, shape as readonly number[]] as const);
  return [
    ['model.embeddings.weight', [c.vocab_size, D]],
    ['lm_head.weight', [c.vocab_size, D]],
    ...affine('model.norm'),
    ...Array.from({ length: c.num_hidden_layers }, (_, i) => block(i)).flat(),
  ];
}

/** A Hugging Face folder with random weights of these shapes, in a new temporary folder. */
export async function randomModel(
  config: Readonly<Record<string, unknown>>,
  tensors: Tensors,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-bench-'));
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, dtype === 'F32' ? 4 : 2);
  let end = 0;
  const header = Object.fromEntries(
    tensors.map(([name, shape]) => {
      const start = end;
      end += size(shape);
      return [name, { dtype, shape, data_offsets: [start, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, 0x20)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = await open(path.join(folder, 'model.safetensors'), 'w');
  await file.write(length);
  await file.write(padded);
  let seed = 1;
  for (const [name, shape] of tensors) {
    const values = new Float32Array(shape.reduce((n, d) => n * d, 1));
    if (/(norm|norm_f|ln_.)\.weight$|layernorm\.weight$/.test(name)) values.fill(1);
    else
      for (let i = 0; i < values.length; i++) {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
        values[i] = 0.02 * (seed / 2 ** 31);
      }
    await file.write(new Uint8Array(stored(values, dtype).buffer));
  }
  await file.close();
  return folder;
}

function stored(
  values: Float32Array<ArrayBuffer>,
  dtype: 'F32' | 'F16' | 'BF16',
): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (dtype === 'F32') return values;
  if (dtype === 'F16') return Uint16Array.from(values, floatToHalf);
  // the upper half of fp32
  return new Uint16Array(values.buffer).filter((_, i) => i % 2 === 1);
}
