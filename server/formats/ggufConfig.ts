import type { TensorEntry } from './checkpoint.js';
import { formatError } from './errors.js';
import type { GgufHeader } from './ggufHeader.js';
import { isDecoder, unnamedConfig } from './ggufUnnamed.js';
import { own } from './own.js';
import { quoted } from './tensorTable.js';

type Config = Record<string, unknown>;
type Tensors = ReadonlyMap<string, TensorEntry>;

/** Keys that are not sizes or counts. */
const fractional = /epsilon|freq_base|scaling|softcapping/;

/** Metadata of one architecture (`ARCH.key`), checked as it is read. */
interface Keys {
  /** Throws CONFIG_INVALID when the key is missing or no number ≥ 0; sizes and counts must be whole and below 2^31. */
  number(key: string): number;
  optional(key: string): number | null;
  text(key: string): string | null;
  flag(key: string): boolean;
  flags(key: string): readonly boolean[] | null;
}

/**
 * config.json as Hugging Face would have written it, from GGUF metadata and tensor shapes. Names of GGUF keys:
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Of architectures unknown here what means the same everywhere.
 */
export function configOfGguf(header: GgufHeader, tensors: Tensors, file: string): Config {
  const architecture = header.metadata.get('general.architecture')?.value;
  if (typeof architecture !== 'string' || architecture === '')
    throw formatError('METADATA_INVALID', file, null, 'The metadata has no "general.architecture".');
  // experts are stacked there as no family of Hugging Face's has them
  const make = tensors.has('blk.0.ffn_gate_inp.weight') ? undefined : own(families, architecture);
  // A model always has an embedding; a file without one is a fragment (an adapter, a vocabulary) and is only listed.
  const embedding = tensors.get('token_embd.weight');
  if (embedding === undefined || (make === undefined && !isDecoder(tensors))) return { model_type: architecture };
  if (make === undefined) {
    const stated = new Map([...header.metadata].map(([key, { value }]) => [key, value]));
    return { ...unnamedConfig(stated, architecture, tensors), ...shared(header, architecture, tensors) };
  }
  const [vocab, width] = embedding.shape as [number, number];
  return {
    ...make(keysOf(header, architecture, file), tensors),
    vocab_size: vocab,
    hidden_size: width,
    ...shared(header, architecture, tensors),
  };
}

const shared = (header: GgufHeader, architecture: string, tensors: Tensors): Config => ({
  _gguf_architecture: architecture,
  tie_word_embeddings: !tensors.has('output.weight'),
  ...tokens(header),
});

function keysOf({ metadata }: GgufHeader, architecture: string, file: string): Keys {
  const find = (key: string) => metadata.get(`${architecture}.${key}`);
  const optional = (key: string): number | null => {
    const found = find(key);
    if (found === undefined) return null;
    // Some files give one value per layer; where all agree it is one value.
    const values = Array.isArray(found.value) ? [...new Set(found.value)] : [found.value];
    const [value] = values;
    const fits = fractional.test(key) ? Number.isFinite(value) : Number.isInteger(value) && (value as number) < 2 ** 31;
    if (values.length !== 1 || typeof value !== 'number' || !fits || value < 0)
      throw formatError(
        'CONFIG_INVALID',
        file,
        found.at,
        `${quoted(`${architecture}.${key}`)} is ${String(found.value).slice(0, 60)}.`,
      );
    return value;
  };
  return {
    optional,
    number(key) {
      const value = optional(key);
      if (value === null)
        throw formatError('CONFIG_INVALID', file, null, `The metadata has no ${quoted(`${architecture}.${key}`)}.`);
      return value;
    },
    text(key) {
      const value = find(key)?.value;
      return typeof value === 'string' ? value : null;
    },
    flag: (key) => find(key)?.value === true,
    flags(key) {
      const value = find(key)?.value;
      return Array.isArray(value) && value.every((item) => typeof item === 'boolean') ? value : null;
    },
  };
}

function tokens({ metadata }: GgufHeader): Config {
  const ids = ['bos', 'eos', 'pad'].map((name) => {
    const value = metadata.get(`tokenizer.ggml.${name === 'pad' ? 'padding' : name}_token_id`)?.value;
    return [`${name}_token_id`, typeof value === 'number' ? value : null];
  });
  return Object.fromEntries(ids) as Config;
}

/** What all decoder-only Transformers share. */
function transformer(k: Keys, tensors: Tensors): Config {
  const heads = k.number('attention.head_count');
  const query = tensors.get('blk.0.attn_q.weight');
  return {
    num_hidden_layers: k.number('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: k.optional('attention.head_count_kv') ?? heads,
    head_dim: k.optional('attention.key_length') ?? (query && heads > 0 ? (query.shape[0] as number) / heads : null),
    intermediate_size: k.number('feed_forward_length'),
    max_position_embeddings: k.number('context_length'),
    rms_norm_eps: k.number('attention.layer_norm_rms_epsilon'),
    rope_theta: k.optional('rope.freq_base') ?? 10000,
    rope_scaling: ropeScaling(k),
    hidden_act: 'silu',
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    mlp_bias: tensors.has('blk.0.ffn_up.bias'),
  };
}

/** llama3's scaling is not here but in the tensor `rope_freqs.weight`, which divides the frequencies. */
function ropeScaling(k: Keys): Config | null {
  const type = k.text('rope.scaling.type');
  const factor = k.optional('rope.scaling.factor');
  if (factor === null || (type !== 'linear' && type !== 'yarn')) return null;
  if (type === 'linear') return { rope_type: 'linear', factor };
  const attention = k.optional('rope.scaling.attn_factor');
  const [fast, slow] = [k.optional('rope.scaling.yarn_beta_fast'), k.optional('rope.scaling.yarn_beta_slow')];
  return {
    rope_type: 'yarn',
    factor,
    original_max_position_embeddings: k.optional('rope.scaling.original_context_length') ?? k.number('context_length'),
    // llama.cpp multiplies YaRN's own temperature by it; Hugging Face's attention_factor replaces that temperature.
    ...(attention !== null && { attention_factor: attention * (0.1 * Math.log(factor) + 1) }),
    ...(fast !== null && { beta_fast: fast }),
    ...(slow !== null && { beta_slow: slow }),
  };
}

/** `llama` in GGUF is also Mistral, and Mixtral when it has experts. */
function llama(k: Keys, tensors: Tensors): Config {
  const window = k.optional('attention.sliding_window');
  const type = (k.optional('expert_count') ?? 0) > 0 ? 'mixtral' : window ? 'mistral' : 'llama';
  return { model_type: type, ...transformer(k, tensors), ...(window && { sliding_window: window }) };
}

/** Gemma 3 repeats five sliding layers and a full one; llama.cpp knows that by heart, so most files do not say it. */
function gemma3(k: Keys, tensors: Tensors): Config {
  const base = transformer(k, tensors);
  const layers = base.num_hidden_layers as number;
  const sliding = k.flags('attention.sliding_window_pattern');
  const width = k.number('embedding_length');
  // Only the 27B model, the one with 62 layers, scales by d_model / heads instead of the head size.
  const scalar = layers === 62 ? width / (base.num_attention_heads as number) : base.head_dim;
  return {
    ...base,
    model_type: 'gemma3_text',
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: scalar,
    sliding_window: k.optional('attention.sliding_window') ?? 4096,
    layer_types: Array.from({ length: Math.min(layers, 4096) }, (_, i) =>
      (sliding?.[i] ?? (i + 1) % 6 !== 0) ? 'sliding_attention' : 'full_attention',
    ),
    rope_theta: k.optional('rope.freq_base') ?? 1e6,
    rope_local_base_freq: k.optional('rope.freq_base_swa') ?? 10000,
    attn_logit_softcapping: null,
    final_logit_softcapping: k.optional('final_logit_softcapping'),
  };
}

function gpt2(k: Keys, tensors: Tensors): Config {
  const positions = tensors.get('position_embd.weight')?.shape[0] ?? k.number('context_length');
  return {
    model_type: 'gpt2',
    n_layer: k.number('block_count'),
    n_head: k.number('attention.head_count'),
    n_embd: k.number('embedding_length'),
    n_inner: k.number('feed_forward_length'),
    n_positions: positions,
    n_ctx: positions,
    layer_norm_epsilon: k.number('attention.layer_norm_epsilon'),
    activation_function: 'gelu_new',
  };
}

function mamba(k: Keys, tensors: Tensors): Config {
  return {
    model_type: k.flag('ssm.dt_b_c_rms') ? 'falcon_mamba' : 'mamba',
    num_hidden_layers: k.number('block_count'),
    conv_kernel: k.number('ssm.conv_kernel'),
    intermediate_size: k.number('ssm.inner_size'),
    expand: k.number('ssm.inner_size') / k.number('embedding_length'),
    state_size: k.number('ssm.state_size'),
    time_step_rank: k.number('ssm.time_step_rank'),
    layer_norm_epsilon: k.number('attention.layer_norm_rms_epsilon'),
    hidden_act: 'silu',
    use_bias: tensors.has('blk.0.ssm_in.bias'),
    use_conv_bias: tensors.has('blk.0.ssm_conv1d.bias'),
  };
}

function rwkv7(k: Keys): Config {
  const [width, head] = [k.number('embedding_length'), k.number('wkv.head_size')];
  const heads = head > 0 && width % head === 0 ? width / head : 1;
  return {
    model_type: 'rwkv7',
    num_hidden_layers: k.number('block_count'),
    head_dim: head,
    num_heads: heads,
    num_attention_heads: heads,
    intermediate_size: k.number('feed_forward_length'),
    decay_low_rank_dim: k.number('attention.decay_lora_rank'),
    a_low_rank_dim: k.number('attention.iclr_lora_rank'),
    v_low_rank_dim: k.number('attention.value_residual_mix_lora_rank'),
    gate_low_rank_dim: k.number('attention.gate_lora_rank'),
    norm_eps: k.optional('attention.layer_norm_epsilon') ?? 1e-5,
    _group_norm_eps: 64e-5,
    norm_bias: true,
  };
}

const families: Readonly<Record<string, (k: Keys, tensors: Tensors) => Config>> = {
  llama,
  qwen2: (k, tensors) => ({ ...transformer(k, tensors), model_type: 'qwen2' }),
  qwen3: (k, tensors) => ({ ...transformer(k, tensors), model_type: 'qwen3' }),
  gemma3,
  gpt2,
  mamba,
  rwkv7,
};
