import type { Evidence } from './evidence.js';

/** Keys that say nothing of what a model computes, or repeat what its tensors say. */
const HARMLESS = new Set([
  ...[
    'model_type',
    '_gguf_architecture',
    'architectures',
    'auto_map',
    'transformers_version',
    '_name_or_path',
    'dtype',
    'torch_dtype',
    'use_cache',
    'name',
  ],
  ...[
    'bos_token_id',
    'eos_token_id',
    'pad_token_id',
    'eod_token_id',
    'unk_token_id',
    'sep_token_id',
    'decoder_start_token_id',
    'im_start_id',
  ],
  ...[
    'initializer_range',
    'init_std',
    'initializer_factor',
    'init_method',
    'init_method_std',
    'mup_init',
    'keys_to_ignore_at_inference',
  ],
  ...[
    'pretraining_tp',
    'tie_encoder_decoder',
    'tie_word_embeddings', // what is stored decides
    'is_decoder',
    'is_encoder_decoder',
    'gradient_checkpointing',
    'layerdrop',
    'quantization_config',
  ],
  ...['intermediate_size', 'ffn_dim', 'ffn_hidden_size', 'n_inner', 'moe_intermediate_size', 'shared_expert_intermediate_size'],
  ...[
    'shared_intermediate_size',
    'expert_ffn_hidden_size',
    'word_embed_proj_dim',
    'num_experts',
    'num_local_experts',
    'n_routed_experts',
  ],
  ...[
    'attention_bias',
    'attention_out_bias',
    'mlp_bias',
    'use_bias',
    'bias',
    'qkv_bias',
    'use_qkv_bias',
    'enable_bias',
    'lm_head_bias',
  ],
  ...[
    'add_bias_linear',
    'add_qkv_bias',
    'use_qk_norm',
    'qk_layernorm',
    'qk_norm',
    'use_post_norm',
    'rope',
    'no_rope_layer_interval',
  ],
  ...[
    'num_shared_experts',
    'n_shared_experts',
    'first_k_dense_replace',
    'decoder_sparse_step',
    'mlp_only_layers',
    'mlp_layer_types',
  ],
  ...[
    'moe_layer_freq',
    'moe_layer_interval',
    'moe_layer_start_index',
    'moe_layer_end_index',
    'num_mtp_modules',
    'num_nextn_predict_layers',
  ],
  ...[
    'output_router_logits',
    'router_aux_loss_coef',
    'aux_loss_alpha',
    'seq_aux',
    'use_flash_attn',
    'attn_implementation',
    'scale_attention_softmax_in_fp32',
  ],
  ...[
    'attention_softmax_in_fp32',
    'attn_softmax_in_fp32',
    'layer_norm_elementwise_affine',
    'norm_type',
    'cache_implementation',
    'classifier_dropout',
  ],
  ...[
    'max_position_embeddings',
    'original_max_position_embeddings',
    'max_sequence_length',
    'seq_length',
    'n_ctx',
    'model_max_length',
    'summary_type',
  ],
  ...[
    'multi_query',
    'new_decoder_architecture',
    'num_ln_in_parallel_attn',
    'add_cross_attention',
    'reorder_and_upcast_attn',
    'summary_use_proj',
  ],
  ...[
    'summary_activation',
    'summary_proj_to_labels',
    'summary_first_dropout',
    'problem_type',
    'id2label',
    'label2id',
    'num_labels',
    'task_specific_params',
  ],
  ...[
    'rotary',
    'head_dim',
    'tokenizer_class',
    'finetuning_task',
    'output_attentions',
    'output_hidden_states',
    'return_dict',
    'torchscript',
    'use_bfloat16',
  ],
  ...[
    'chunk_size_feed_forward',
    'prefix',
    'license',
    'language',
    '_attn_implementation',
    'sliding_window',
    'max_window_layers',
    'use_sliding_window',
  ],
]);
/** Whatever else these words are part of: dropout, losses, noise in training. */
const TRAINING = /initializer|dropout|_pdrop|_loss|jitter|label_smoothing/;

/** Names of numbers that often change what a model computes. */
const SUSPECT =
  /causal|scal|mult|softcap|soft_cap|clip|clamp|alpha|beta|gamma|norm|rope|rotary|window|gate|alibi|residual|factor|parallel|position|mup|attn|attention|logit|embed|expert|router|moe|share|layer|temperature|bidirectional|sink|sparse|conv|state|head|act/;

/** What a key says when it says nothing. */
const neutral = (key: string, value: unknown): boolean =>
  value === null ||
  value === false ||
  value === '' ||
  (value === 1 && !BOUNDS.test(key)) ||
  value === 0 ||
  (Array.isArray(value) && value.length === 0);

/** Bounds are none of the numbers of which 1 changes nothing. */
const BOUNDS = /clip|clamp|cap|limit|window/;

/** What these words switch off is there in most models. */
const MISSED_WHEN_FALSE = /causal|(?:use|apply|enable|with)_(?:rope|rotary|pos)|(?:use|apply)_residual/;

/** Keys that no rule has read: those that look as if they changed the maths are problems, the others are told. */
export function unreadKeys(e: Evidence): void {
  const unread = Object.entries(e.config.raw).filter(
    ([key, value]) =>
      !e.read.has(key) &&
      !HARMLESS.has(key) &&
      !TRAINING.test(key) &&
      (!neutral(key, value) || (value === false && MISSED_WHEN_FALSE.test(key))),
  );
  const [suspects, others] = [unread.filter(([key]) => SUSPECT.test(key)), unread.filter(([key]) => !SUSPECT.test(key))];
  for (const [key, value] of suspects) {
    const text = JSON.stringify(value);
    e.problem(`${key} is ${text.length > 60 ? `${text.slice(0, 60)}…` : text}, and what it changes is unknown`);
  }
  if (others.length > 0)
    e.assume(`without ${others.map(([key]) => key).join(', ')}`, 'these keys of the config are unknown, and taken not to matter');
}
