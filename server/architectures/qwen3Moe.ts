import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { activation } from '../graph/blocks/mlp.js';
import { choose, gatedExpert, mixture, normalised } from '../graph/blocks/moe.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { feedForward, type LlamaConfig, llamaConfig, llamaParts, MLP, preNormBlock, selfAttention } from './llama.js';

export interface MixtureConfig {
  readonly experts: number;
  readonly perToken: number;
  readonly expertSize: number;
  readonly normalise: boolean;
  /** Layers with one MLP for all tokens. */
  readonly dense: (i: number) => boolean;
}

export interface Qwen3MoeConfig extends LlamaConfig, MixtureConfig {}

export function mixtureConfig(raw: ConfigReader, normalise: boolean): MixtureConfig {
  const every = raw.size('decoder_sparse_step', 1);
  const only = raw.numbers('mlp_only_layers') ?? [];
  return {
    experts: raw.size(['num_experts', 'num_local_experts'], 128),
    perToken: raw.size('num_experts_per_tok', 8),
    expertSize: raw.size('moe_intermediate_size', 768),
    normalise: raw.flag('norm_topk_prob', normalise),
    dense: (i) => only.includes(i) || (i + 1) % every !== 0,
  };
}

/** What the chosen experts say together: [B,T,D]. */
export function routed(g: SegmentBuilder, c: Qwen3MoeConfig, x: Value): Value {
  const spec = { experts: c.experts, size: c.expertSize, act: activation(c.act), names: MLP };
  const scores = g.softmax(g.probe('router.logits', g.linear(x, 'gate', c.experts))); // [B,T,X]
  const { weights, experts } = choose(g, c.perToken, scores);
  const choice = { experts, weights: c.normalise ? normalised(g, weights) : weights };
  return mixture(g, x, choice, c.experts, (e, rows) => gatedExpert(g, rows, e, spec));
}

/**
 * Qwen3-MoE: Yang et al. 2025 (arXiv 2505.09388). Qwen3 whose MLP is the best 8 of 128 small experts, in all layers or every few.
 */
export const qwen3Moe = defineArchitecture<Qwen3MoeConfig>({
  id: 'qwen3_moe',
  names: ['qwen3_moe', 'Qwen3MoeForCausalLM', 'Qwen3MoeModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const window = raw.flag('use_sliding_window', false) ? raw.number('sliding_window', 4096) : null;
    return { ...llamaConfig(raw, tensors, () => window), ...mixtureConfig(raw, false) };
  },
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) =>
        selfAttention(g, c.attention[i] as AttentionSpec, ln1, (_, heads, name) => rmsNorm(g, heads, `self_attn.${name}`, c.eps)),
      mlp: (ln2) => (c.dense(i) ? feedForward(g, c, ln2) : g.within('', 'mlp.', () => g.probe('mlp.out', routed(g, c, ln2)))),
    }),
});
