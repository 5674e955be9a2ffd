import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attentionState } from '../graph/blocks/attention.js';
import { type MambaSpec, mambaMixer, mambaState } from '../graph/blocks/mamba.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { choose, gatedExpert, mixture } from '../graph/blocks/moe.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts, MLP, selfAttention, unembed } from './llama.js';

interface JambaConfig extends LlamaConfig {
  readonly mamba: MambaSpec;
  readonly attends: (i: number) => boolean;
  readonly experts: number;
  readonly perToken: number;
  /** Layers with one MLP for all tokens. */
  readonly dense: (i: number) => boolean;
}

/** The best experts of a softmax over all, weighted by it as it is: their weights do not sum to 1. */
function moe(g: SegmentBuilder, c: JambaConfig, x: Value): Value {
  const spec = { experts: c.experts, size: c.dFf, act: activation(c.act), names: MLP };
  const scores = g.softmax(g.probe('router.logits', g.linear(x, 'router', c.experts))); // [B,T,X]
  const choice = choose(g, c.perToken, scores);
  return g.probe(
    'mlp.out',
    mixture(g, x, choice, c.experts, (e, rows) => gatedExpert(g, rows, e, spec)),
  ); // [B,T,D]
}

const mixer = (g: SegmentBuilder, c: JambaConfig, x: Value): Value =>
  g.within('', 'mamba.', () => mambaMixer(g, c.mamba, x, (v, name) => rmsNorm(g, v, `${name}_layernorm`, c.eps)));

/**
 * Jamba: Lieber et al. 2024 (arXiv 2403.19887). One layer in a few attends, without positions; the others are Mamba with norms on Δ, B and C.
 * Every other MLP is a mixture of experts.
 */
export const jamba = defineArchitecture<JambaConfig>({
  id: 'jamba',
  names: ['jamba', 'JambaForCausalLM', 'JambaModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const base = llamaConfig(raw, tensors);
    const rank = Math.ceil(base.dModel / 16);
    const [every, first] = [raw.size('attn_layer_period', 8), raw.number('attn_layer_offset', 4)];
    const [expertsEvery, expertsFirst] = [raw.size('expert_layer_period', 2), raw.number('expert_layer_offset', 1)];
    const experts = raw.size(['num_experts', 'num_local_experts'], 16);
    return {
      ...base,
      limit: null,
      attention: base.attention.map((spec) => ({ ...spec, rope: null })),
      attends: (i) => i % every === first,
      mamba: {
        dInner: raw.size('mamba_expand', 2) * base.dModel,
        dConv: raw.size('mamba_d_conv', 4),
        N: raw.size('mamba_d_state', 16),
        R: raw.value('mamba_dt_rank') === 'auto' ? rank : raw.size('mamba_dt_rank', rank),
      },
      experts,
      perToken: raw.size('num_experts_per_tok', 2),
      dense: (i) => experts === 1 || i % expertsEvery !== expertsFirst,
    };
  },
  layer: (c, i) =>
    c.attends(i) ? llamaParts.layer(c, i) : { mixer: 'mamba', attention: null, heads: 1, headDim: c.mamba.dInner },
  state: (c, i) => (c.attends(i) ? attentionState(c.attention[i] as AttentionSpec) : mambaState(c.mamba)),
  block: (g, c, x, i) => {
    const ln1 = g.probe('ln1', rmsNorm(g, x, 'input_layernorm', c.eps));
    const mixed = c.attends(i) ? selfAttention(g, c.attention[i] as AttentionSpec, ln1) : mixer(g, c, ln1);
    const mid = g.probe('resid_mid', g.add(x, mixed));
    const ln2 = g.probe('ln2', rmsNorm(g, mid, 'pre_ff_layernorm', c.eps));
    const wide = () => (c.dense(i) ? gatedMlp(g, ln2, c.dFf, activation(c.act), MLP) : moe(g, c, ln2));
    return g.add(mid, g.within('', 'feed_forward.', wide)); // [B,T,D]
  },
  head: (g, c, x) => unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'final_layernorm', c.eps))),
});
