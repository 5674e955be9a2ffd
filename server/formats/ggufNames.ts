import { UNNAMED } from '../protocol/models.js';
import { sizeOf } from '../tensor/tensor.js';
import type { TensorEntry } from './checkpoint.js';
import { formatError } from './errors.js';
import { unnamedTensors } from './ggufUnnamed.js';
import { own } from './own.js';
import { type Declared, quoted } from './tensorTable.js';

/** How one GGUF tensor becomes one Hugging Face tensor. */
type Change = (entry: TensorEntry, config: Readonly<Record<string, unknown>>) => Partial<TensorEntry>;

interface Names {
  /** Where blocks live: `blk.3.` becomes `${layers}3.`. */
  readonly layers: string;
  /** GGUF name without `.weight`/`.bias` → Hugging Face's, outside blocks and in them. */
  readonly top: Readonly<Record<string, string>>;
  readonly block: Readonly<Record<string, string>>;
  /** By GGUF name, as above. */
  readonly changes?: Readonly<Record<string, Change>>;
}

const top = { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head', rope_freqs: 'rope_freqs' };
const attention = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const qwen: Names = { layers: 'model.layers.', top, block: { ...attention, ffn_norm: 'post_attention_layernorm' } };

/**
 * llama.cpp rotates neighbouring pairs where Hugging Face rotates halves, so its converter interleaves the halves of each head
 * (llama.cpp conversion/llama.py, `permute`): canonical row half·s + j of a head is stored as row 2j + s.
 */
const interleaved =
  (headsKey: string): Change =>
  ({ shape }, config) => {
    const headRows = (shape[0] as number) / (config[headsKey] as number);
    const half = headRows / 2;
    if (!Number.isInteger(half)) return {};
    return {
      permuteRows: (row) => {
        const inHead = row % headRows;
        return row - inHead + 2 * (inHead % half) + (inHead < half ? 0 : 1);
      },
    };
  };

/** GPT-2's Conv1D weights are [in, out] in Hugging Face's checkpoint; the converter turns them round. */
const turned: Change = ({ shape }) => (shape.length === 2 ? { shape: [...shape].reverse(), transpose: true } : {});

/** The converter adds 1 to Gemma's norms, which multiply by 1 + weight (llama.cpp conversion/gemma.py). */
const minusOne: Change = () => ({ restore: (value) => Math.fround(value - 1) });

const rwkvFactors = Object.fromEntries(
  ['w', 'a', 'v'].flatMap((x) => [
    [`time_mix_${x}0`, `attn.${x}_lora.lora.2.bias`],
    [`time_mix_${x}1`, `attn.${x}_lora.lora.0.weight`],
    [`time_mix_${x}2`, `attn.${x}_lora.lora.2.weight`],
  ]),
);

const families: Readonly<Record<string, Names>> = {
  llama: { ...qwen, changes: { attn_q: interleaved('num_attention_heads'), attn_k: interleaved('num_key_value_heads') } },
  qwen2: qwen,
  qwen3: qwen,
  gemma3: {
    layers: 'model.layers.',
    top,
    block: {
      ...attention,
      post_attention_norm: 'post_attention_layernorm',
      ffn_norm: 'pre_feedforward_layernorm',
      post_ffw_norm: 'post_feedforward_layernorm',
    },
    changes: Object.fromEntries(
      ['output_norm', 'attn_norm', 'attn_q_norm', 'attn_k_norm', 'post_attention_norm', 'ffn_norm', 'post_ffw_norm'].map((n) => [
        n,
        minusOne,
      ]),
    ),
  },
  gpt2: {
    layers: 'transformer.h.',
    top: { token_embd: 'transformer.wte', position_embd: 'transformer.wpe', output_norm: 'transformer.ln_f', output: 'lm_head' },
    block: {
      attn_norm: 'ln_1',
      attn_qkv: 'attn.c_attn',
      attn_output: 'attn.c_proj',
      ffn_norm: 'ln_2',
      ffn_up: 'mlp.c_fc',
      ffn_down: 'mlp.c_proj',
    },
    changes: { attn_qkv: turned, attn_output: turned, ffn_up: turned, ffn_down: turned },
  },
  mamba: {
    layers: 'backbone.layers.',
    top: { token_embd: 'backbone.embeddings', output_norm: 'backbone.norm_f', output: 'lm_head' },
    block: {
      attn_norm: 'norm',
      ssm_in: 'mixer.in_proj',
      ssm_conv1d: 'mixer.conv1d',
      ssm_x: 'mixer.x_proj',
      ssm_dt: 'mixer.dt_proj',
      ssm_a: 'mixer.A_log',
      ssm_d: 'mixer.D',
      ssm_out: 'mixer.out_proj',
    },
    changes: {
      ssm_conv1d: ({ shape }) => (shape.length === 2 ? { shape: [shape[0] as number, 1, shape[1] as number] } : {}),
      // The converter stores A = −exp(A_log) (llama.cpp conversion/mamba.py).
      ssm_a: () => ({ restore: (value) => Math.fround(Math.log(-value)) }),
    },
  },
  rwkv7: {
    layers: 'model.layers.',
    top: {
      token_embd: 'model.embeddings',
      token_embd_norm: 'model.layers.0.pre_norm',
      output_norm: 'model.norm',
      output: 'lm_head',
    },
    block: {
      attn_norm: 'attn_norm',
      attn_norm_2: 'ffn_norm',
      ...rwkvFactors,
      time_mix_g1: 'attn.g_lora.lora.0.weight',
      time_mix_g2: 'attn.g_lora.lora.2.weight',
      time_mix_k_k: 'attn.k_k!',
      time_mix_k_a: 'attn.k_a!',
      time_mix_r_k: 'attn.r_k!',
      time_mix_key: 'attn.k_proj',
      time_mix_value: 'attn.v_proj',
      time_mix_receptance: 'attn.r_proj',
      time_mix_output: 'attn.o_proj',
      time_mix_ln: 'attn.g_norm',
      channel_mix_lerp_k: 'ffn.x_k!',
      channel_mix_key: 'ffn.key',
      channel_mix_value: 'ffn.value',
    },
    changes: {
      time_mix_r_k: ({ shape }, { num_heads: heads }) => {
        const width = sizeOf(shape) / (heads as number);
        return Number.isInteger(width) ? { shape: [heads as number, width] } : {};
      },
    },
  },
};

/** The tensors under Hugging Face's names. Of an architecture without a table here those of a decoder. */
export function canonicalTensors(
  declared: readonly Declared[],
  config: Readonly<Record<string, unknown>>,
  file: string,
): Declared[] {
  if (String(config.model_type).startsWith(UNNAMED)) return unnamedTensors(declared);
  const family = own(families, String(config._gguf_architecture));
  if (family === undefined) return [...declared];
  return declared.flatMap(({ entry, declaredAt }) => {
    if (entry.name.endsWith('.time_mix_lerp_fused.weight')) return unfused(entry, file, declaredAt);
    return [{ entry: renamed(entry, family, config), declaredAt }];
  });
}

function renamed(entry: TensorEntry, family: Names, config: Readonly<Record<string, unknown>>): TensorEntry {
  const parts = /^(?:blk\.(\d+)\.)?(.+?)(\.weight|\.bias)?$/.exec(entry.name);
  if (parts === null) return entry; // empty, or with a line break
  const [, block, stem, suffix] = parts;
  const name = own(block === undefined ? family.top : family.block, stem as string);
  if (name === undefined) return entry;
  const whole = /lora\.\d\.(weight|bias)$/.test(name) || name.endsWith('!');
  const canonical = `${block === undefined ? '' : `${family.layers}${block}.`}${name.replace('!', '')}${whole ? '' : (suffix ?? '')}`;
  return { ...entry, name: canonical, ...own(family.changes, stem as string)?.(entry, config) };
}

/** RWKV-7's six token-shift vectors, stacked as [6, 1, 1, D] in this order (llama.cpp conversion/rwkv.py). */
function unfused(entry: TensorEntry, file: string, declaredAt: number): Declared[] {
  const letters = ['r', 'w', 'k', 'v', 'a', 'g'];
  const width = entry.shape.at(-1) ?? 0;
  if (sizeOf(entry.shape) !== width * letters.length)
    throw formatError(
      'SHAPE_INVALID',
      file,
      declaredAt,
      `Tensor ${quoted(entry.name)} has the shape [${entry.shape.join(', ')}], not [6, 1, 1, D].`,
    );
  const bytes = entry.bytes / letters.length;
  const layer = entry.name.split('.')[1];
  return letters.map((letter, i) => ({
    entry: {
      ...entry,
      name: `model.layers.${layer}.attn.x_${letter}`,
      shape: [1, 1, width],
      offset: entry.offset + i * bytes,
      bytes,
    },
    declaredAt,
  }));
}
