import type { Architecture } from '../../graph/architecture.js';
import { ConfigReader } from '../../graph/config.js';
import type { BoundArchitecture } from '../../graph/segment.js';
import { type DeepseekConfig, deepseekConfig, deepseekV2 } from '../deepseekV2.js';
import { deepseekV3 } from '../deepseekV3.js';
import type { Evidence } from './evidence.js';

const LATENT = ['self_attn.kv_a_proj_with_mqa.weight', 'self_attn.kv_a_layernorm.weight', 'self_attn.kv_b_proj.weight'];
const STEERED = 'mlp.gate.e_score_correction_bias';

/** Keys that DeepSeek's blocks read, or that repeat what their tensors say. */
const READ = [
  ...['num_hidden_layers', 'num_attention_heads', 'num_key_value_heads', 'hidden_size', 'vocab_size', 'tie_word_embeddings'],
  ...['kv_lora_rank', 'q_lora_rank', 'qk_nope_head_dim', 'qk_rope_head_dim', 'qk_head_dim', 'v_head_dim', 'rms_norm_eps'],
  ...['rope_theta', 'rope_parameters', 'rope_scaling', 'rope_interleave', 'hidden_act', 'num_experts_per_tok', 'norm_topk_prob'],
  ...['routed_scaling_factor', 'n_group', 'topk_group', 'topk_method', 'scoring_func'],
];

/** DeepSeek's compressed keys and values are there under its names. */
export const isLatent = (e: Evidence): boolean => LATENT.every((name) => e.inBlock([name]) !== null);

/** Blocks that route, from the first on; null where dense ones come between. */
function firstRouted(e: Evidence): number | null {
  const routed = Array.from(
    { length: e.layers },
    (_, i) => e.tensors.shape(`${e.prefix}${e.blocks}.${i}.mlp.gate.weight`) !== null,
  );
  const first = routed.indexOf(true);
  if (first < 0) return e.layers;
  return routed.slice(first).every(Boolean) ? first : null;
}

/** Which pairs turn. */
function pairs(e: Evidence): boolean {
  const told = e.flag('rope_interleave');
  if (told !== null) {
    e.say(told ? 'neighbouring dimensions turn together' : 'dimensions i and i + half turn together', 'rope_interleave');
    return told;
  }
  const because = 'it is so in DeepSeek, whose names the tensors have; nothing in the files says it';
  e.assume('neighbouring dimensions turn together', because, { key: 'rope_interleave', value: false });
  return true;
}

/**
 * A decoder of latent attention that nobody knows by name: DeepSeek's blocks, told by their tensors. Which of its two ways to route is told by
 * the bias that steers the choice. What is missing or contradictory becomes a problem of the evidence; null then.
 */
export function inferLatent(e: Evidence): Omit<BoundArchitecture, 'tensors'> | null {
  const steered = e.inBlock([STEERED]) !== null;
  const dense = firstRouted(e);
  const missing = (key: string, what: string) => e.config.value(key) === null && e.problem(`no ${key}: ${what} cannot be told`);
  missing('rms_norm_eps', 'ε of the norms');
  missing('hidden_act', 'the activation');
  if (e.config.value('rope_theta', 'rope_parameters') === null)
    e.problem('no rope_theta: how fast queries and keys turn cannot be told');
  if (e.blocks !== 'layers') e.problem(`blocks are called ${e.blocks}, not layers`);
  if (dense === null) e.problem('blocks with experts and others alternate');
  const routes = dense !== null && dense < e.layers;
  const scores = e.value('scoring_func')?.value ?? (steered ? 'sigmoid' : 'softmax');
  if (routes && scores !== (steered ? 'sigmoid' : 'softmax'))
    e.problem(`scoring_func is ${JSON.stringify(scores)}${steered ? '' : ', without a bias that steers the choice'}`);
  if (routes && !steered && e.flag('norm_topk_prob') === true)
    e.problem('norm_topk_prob is true beside a softmax over all experts');
  if (routes)
    for (const key of steered ? ['n_group', 'topk_group', 'norm_topk_prob'] : []) missing(key, 'which experts are chosen');
  if (e.problems.length > 0) return null;
  const none = { moe_intermediate_size: 1, num_experts_per_tok: 1, n_routed_experts: 1 };
  const raw = new ConfigReader({ ...(routes ? {} : none), ...e.config.raw, first_k_dense_replace: dense, moe_layer_freq: 1 });
  const interleaved = pairs(e);
  const own = steered ? deepseekV3 : deepseekV2;
  const style = !steered && interleaved ? 'interleaved' : 'half';
  const groups = (own.config(raw, e.tensors) as DeepseekConfig).groups;
  const shared = { ...deepseekConfig(raw, style, 0), groups };
  for (const key of READ) e.read.add(key);
  e.say(
    `latent attention of rank ${shared.latent.rank}, of which ${shared.latent.rope?.dims} dimensions turn apart`,
    LATENT[0] as string,
  );
  e.say(
    `${shared.latent.heads} heads of ${shared.latent.headDim}, values of ${shared.latent.valueDim}`,
    'num_attention_heads, qk_nope_head_dim, qk_rope_head_dim, v_head_dim',
  );
  if (shared.eps !== 1e-6)
    e.assume('ε of the norms inside the attention is 1e-6', 'it is so in DeepSeek whatever the config says');
  if (routes)
    e.say(
      `${shared.experts} experts of ${shared.expertSize} neurons from block ${dense} on, ${shared.perToken} a token, by ${steered ? 'sigmoid scores with a bias that steers the choice' : 'softmax'}`,
      steered ? STEERED : 'mlp.gate.weight, and no bias beside it',
    );
  return {
    architecture: { ...own, blockPrefix: (i: number) => `${e.blocks}.${i}.` } as Architecture,
    config: steered ? ({ ...shared, normalise: e.flag('norm_topk_prob') === true, interleaved } as DeepseekConfig) : shared,
    prefix: e.prefix,
  };
}
