import { UNNAMED } from '../protocol/models.js';
import type { TensorEntry } from './checkpoint.js';
import type { Declared } from './tensorTable.js';

type Keys = ReadonlyMap<string, unknown>;
type Config = Record<string, unknown>;
type Shapes = ReadonlyMap<string, Pick<TensorEntry, 'shape'>>;

/** Keys of config.json by those of GGUF that say the same, whatever the architecture. */
const SAME: Readonly<Record<string, string>> = {
  block_count: 'num_hidden_layers',
  context_length: 'max_position_embeddings',
  embedding_length: 'hidden_size',
  feed_forward_length: 'intermediate_size',
  use_parallel_residual: 'use_parallel_residual',
  attn_logit_softcapping: 'attn_logit_softcapping',
  final_logit_softcapping: 'final_logit_softcapping',
  embedding_scale: 'embedding_multiplier',
  residual_scale: 'residual_multiplier',
  'attention.head_count': 'num_attention_heads',
  'attention.head_count_kv': 'num_key_value_heads',
  'attention.key_length': 'head_dim',
  'attention.layer_norm_epsilon': 'layer_norm_eps',
  'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
  'attention.scale': 'attention_multiplier',
  'rope.freq_base': 'rope_theta',
  'rope.dimension_count': 'rotary_dim',
  expert_used_count: 'num_experts_per_tok',
  expert_weights_norm: 'norm_topk_prob',
  expert_weights_scale: 'routed_scaling_factor',
  expert_group_count: 'n_group',
  expert_group_used_count: 'topk_group',
};

/** Said by tensors as well, or of no consequence. */
const SPARE = new Set([
  ...['vocab_size', 'expert_count', 'expert_feed_forward_length', 'expert_shared_feed_forward_length', 'expert_shared_count'],
  ...['leading_dense_block_count', 'attention.value_length', 'rope.scaling.finetuned', 'tensor_data_layout'],
]);

/** LLAMA_EXPERT_GATING_FUNC_TYPE of llama.cpp. */
const SCORES: Readonly<Record<number, string>> = { 1: 'softmax', 2: 'sigmoid' };

/** One value a layer is one value where all agree. */
const single = (value: unknown): unknown =>
  Array.isArray(value) && value.length > 0 && value.every((each) => each === value[0]) ? value[0] : value;

/** `blk.3.attn_q.weight` …: a norm, an attention and an MLP. */
export const isDecoder = (tensors: { has(name: string): boolean }): boolean =>
  ['attn_q', 'attn_qkv'].some((name) => tensors.has(`blk.0.${name}.weight`)) &&
  ['ffn_down', 'ffn_down_exps'].some((name) => tensors.has(`blk.0.${name}.weight`) || tensors.has(`blk.1.${name}.weight`));

/**
 * config.json of an architecture without a table, as far as its metadata say it: keys that mean the same everywhere under Hugging Face's
 * names, all others under their own, so that whoever infers the model sees that there are more.
 */
export function unnamedConfig(metadata: Keys, architecture: string, tensors: Shapes): Config {
  const start = `${architecture}.`;
  const stated = new Map(
    [...metadata].flatMap(([key, value]) => (key.startsWith(start) ? [[key.slice(start.length), single(value)]] : [])),
  );
  const config: Config = { model_type: UNNAMED + architecture };
  for (const [key, value] of stated) {
    const same = SAME[key];
    if (same !== undefined && !Array.isArray(value)) config[same] = value;
    else if (!SPARE.has(key)) config[start + key] = value;
  }
  const positions = tensors.get('position_embd.weight')?.shape[0];
  const take = (key: string): unknown => {
    delete config[start + key];
    return stated.get(key);
  };
  // ggml's own default of θ; what says that heads turn at all is how many of their dimensions do
  if (config.rotary_dim !== undefined && positions === undefined) config.rope_theta ??= 10_000;
  if (config.rotary_dim === (config.head_dim ?? headSize(config, tensors))) delete config.rotary_dim;
  if (stated.get('attention.causal') !== false) take('attention.causal');
  else config[`${start}attention.causal`] = 'false, so that queries see what comes after them';
  const gating = SCORES[stated.get('expert_gating_func') as number];
  if (gating !== undefined) config.scoring_func = gating;
  if (gating !== undefined || stated.get('expert_gating_func') === 0) take('expert_gating_func');
  const more = { ...scaling(stated, take, tensors), ...windows(stated, take) };
  return { ...config, ...more };
}

const headSize = ({ num_attention_heads: heads }: Config, tensors: Shapes): number | null => {
  const rows = tensors.get('blk.0.attn_q.weight')?.shape[0];
  const width = tensors.get('token_embd.weight')?.shape[1];
  return typeof heads === 'number' ? (rows ?? width ?? 0) / heads : null;
};

/** YaRN is left to those who know the family: its temperature differs. LongRoPE's divisors are tensors, its temperature is ggml's own where none is said. */
function scaling(stated: Keys, take: (key: string) => unknown, tensors: Shapes): Config {
  if (tensors.has('rope_factors_long.weight')) {
    const [attention, original] = ['rope.scaling.attn_factor', 'rope.scaling.original_context_length'].map(take);
    return {
      rope_scaling: { rope_type: 'longrope', attention_factor: attention ?? 1, original_max_position_embeddings: original },
    };
  }
  const [type, factor] = [stated.get('rope.scaling.type'), stated.get('rope.scaling.factor')];
  if (type === 'none') for (const key of ['rope.scaling.type', 'rope.scaling.factor']) take(key);
  if (type === 'none' || type === undefined) take('rope.scaling.original_context_length');
  if (type !== 'linear' || typeof factor !== 'number') return {};
  return { rope_scaling: { rope_type: 'linear', factor: take('rope.scaling.factor'), type: take('rope.scaling.type') } };
}

/** Windows, and which layers have one: of so many the last has none, or a truth value for each. */
function windows(stated: Keys, take: (key: string) => unknown): Config {
  const window = take('attention.sliding_window');
  const pattern = stated.get('attention.sliding_window_pattern');
  const flags =
    typeof pattern === 'boolean' ? new Array(Math.min(Number(stated.get('block_count')) || 0, 4096)).fill(pattern) : pattern;
  if (typeof flags === 'number')
    return { sliding_window: window, sliding_window_pattern: take('attention.sliding_window_pattern') };
  if (!Array.isArray(flags) || !flags.every((flag) => typeof flag === 'boolean')) return { sliding_window: window };
  take('attention.sliding_window_pattern');
  return { sliding_window: window, layer_types: flags.map((flag) => (flag ? 'sliding_attention' : 'full_attention')) };
}

/** Names of Hugging Face's decoders by those of GGUF, without `.weight` and `.bias`. */
const TOP: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  position_embd: 'model.embed_positions',
  output_norm: 'model.norm',
  output: 'lm_head',
};
const BLOCK: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_qkv: 'self_attn.qkv_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
  ffn_gate_inp: 'mlp.gate',
  ffn_gate_exps: 'mlp.experts.gate_proj',
  ffn_up_exps: 'mlp.experts.up_proj',
  ffn_down_exps: 'mlp.experts.down_proj',
  exp_probs_b: 'mlp.gate.e_score_correction_bias!',
  ffn_gate_inp_shexp: 'mlp.shared_expert_gate',
  ffn_gate_shexp: 'mlp.shared_expert.gate_proj',
  ffn_up_shexp: 'mlp.shared_expert.up_proj',
  ffn_down_shexp: 'mlp.shared_expert.down_proj',
};

/** Tensors of such an architecture under Hugging Face's names; those that are not a decoder's keep their own. */
export function unnamedTensors(declared: readonly Declared[]): Declared[] {
  const shapes = new Map(declared.map(({ entry }) => [entry.name, entry.shape]));
  return declared.map(({ entry, declaredAt }) => ({ entry: { ...entry, name: hfName(entry.name, shapes) }, declaredAt }));
}

function hfName(name: string, shapes: ReadonlyMap<string, readonly number[]>): string {
  const parts = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name);
  const [, block, stem = '', suffix] = parts ?? [];
  const known = block === undefined ? TOP : BLOCK;
  if (!Object.hasOwn(known, stem)) return name;
  const at = block === undefined ? '' : `model.layers.${block}.`;
  const [up, down] = [shapes.get(`blk.${block}.ffn_up.weight`), shapes.get(`blk.${block}.ffn_down.weight`)];
  // gate and up in one matrix, gate first
  const fused = stem === 'ffn_up' && !shapes.has(`blk.${block}.ffn_gate.weight`) && up?.[0] === 2 * (down?.[1] ?? 0);
  const renamed = fused ? 'mlp.gate_up_proj' : (known[stem] as string);
  return renamed.endsWith('!') ? at + renamed.slice(0, -1) : `${at}${renamed}.${suffix}`;
}
