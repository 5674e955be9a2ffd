import type { ConfigDocument, Issue } from './document.js';

const HIDDEN = ['hidden_size', 'n_embd', 'd_model'];
const HEADS = ['num_attention_heads', 'n_head'];
const LAYERS = ['num_hidden_layers', 'n_layer'];
const CONTEXT = ['max_position_embeddings', 'n_positions', 'n_ctx'];

function headsDivideWidth(config: ConfigDocument): readonly Issue[] {
  const hidden = config.size(...HIDDEN);
  const heads = config.size(...HEADS);
  const latent = config.size('kv_lora_rank', 'qk_rope_head_dim');
  if (!hidden || !heads || latent || config.size('head_dim') || hidden.value % heads.value === 0) return [];
  const rest = hidden.value % heads.value;
  const message = `${hidden.key} ${hidden.value} is not a multiple of ${heads.key} ${heads.value} (remainder ${rest}), and there is no head_dim.`;
  return config.issue([heads.key], 'error', 'heads-do-not-divide-width', message);
}

function kvHeadsDivideHeads(config: ConfigDocument): readonly Issue[] {
  const heads = config.size(...HEADS);
  const kv = config.size('num_key_value_heads');
  if (!heads || !kv || heads.value % kv.value === 0) return [];
  const message = `${heads.key} ${heads.value} is not a multiple of num_key_value_heads ${kv.value}: query heads cannot share them evenly.`;
  return config.issue(['num_key_value_heads'], 'error', 'kv-heads-do-not-divide-heads', message);
}

function oneTypeALayer(config: ConfigDocument): readonly Issue[] {
  const layers = config.size(...LAYERS);
  return ['layer_types', 'layers_block_type', 'mlp_layer_types'].flatMap((key) => {
    const types = config.value(key);
    if (!layers || !Array.isArray(types) || types.length === layers.value) return [];
    const message = `${key} has ${types.length} entries for ${layers.value} layers (${layers.key}).`;
    return config.issue([key], 'error', 'layer-types-length', message);
  });
}

function windowInContext(config: ConfigDocument): readonly Issue[] {
  const context = config.size(...CONTEXT);
  const window = config.size('sliding_window');
  if (!context || !window || config.value('use_sliding_window') === false || window.value <= context.value) return [];
  const message = `sliding_window ${window.value} is larger than ${context.key} ${context.value}: it never cuts anything off.`;
  return config.issue(['sliding_window'], 'warning', 'window-exceeds-context', message);
}

/** Each token goes to at most as many experts as there are. */
function expertsChosen(config: ConfigDocument): readonly Issue[] {
  const experts = config.size('num_local_experts', 'num_experts', 'n_routed_experts');
  const chosen = config.size('num_experts_per_tok');
  if (!experts || !chosen || chosen.value <= experts.value) return [];
  const message = `num_experts_per_tok ${chosen.value} is more than the ${experts.value} experts there are (${experts.key}).`;
  return config.issue(['num_experts_per_tok'], 'error', 'more-experts-chosen-than-there-are', message);
}

/** Contradictions among heads, layers and windows. */
export const checkAttention = (config: ConfigDocument): readonly Issue[] =>
  [headsDivideWidth, kvHeadsDivideHeads, oneTypeALayer, windowInContext, expertsChosen].flatMap((check) => check(config));
