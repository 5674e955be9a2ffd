import { mkdtemp, open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

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

type Tensors = readonly (readonly [name: string, shape: readonly number[]])[];

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

/** A Hugging Face folder with random fp32 weights of these shapes, in a new temporary folder. */
export async function randomModel(config: Readonly<Record<string, unknown>>, tensors: Tensors): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-bench-'));
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 4);
  let end = 0;
  const header = Object.fromEntries(
    tensors.map(([name, shape]) => {
      const start = end;
      end += size(shape);
      return [name, { dtype: 'F32', shape, data_offsets: [start, end] }];
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
    const scale = name.includes('norm') ? 1 : 0.02;
    const values = Float32Array.from({ length: size(shape) / 4 }, () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
      return scale * (shape.length === 1 ? 1 : seed / 2 ** 31);
    });
    await file.write(new Uint8Array(values.buffer));
  }
  await file.close();
  return folder;
}
