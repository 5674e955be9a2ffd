import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attentionState } from '../graph/blocks/attention.js';
import { deltaRange, gatedNorm, type Mamba2Spec, mamba2Mixer, mamba2State, plainGate } from '../graph/blocks/mamba2.js';
import { activation } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { embed, type LlamaConfig, llamaConfig, llamaParts, selfAttention, unembed } from './llama.js';

/** Factors of µP that the checkpoint leaves to the graph. */
interface Multipliers {
  readonly embedding: number;
  readonly logits: number;
  readonly attentionIn: number;
  readonly attentionOut: number;
  readonly key: number;
  readonly ssmIn: number;
  readonly ssmOut: number;
  readonly ssm: readonly [number, number, number, number, number];
  readonly mlp: readonly [number, number];
}

interface FalconH1Config extends LlamaConfig {
  readonly mamba: Mamba2Spec;
  /** Whether the mixer's output is normed, and where its gate comes then. */
  readonly norm: { readonly eps: number; readonly normFirst: boolean } | null;
  readonly times: Multipliers;
}

function multipliers(raw: ConfigReader): Multipliers {
  const one = (key: string) => raw.number(`${key}_multiplier`, 1);
  const [mlp, ssm] = [raw.numbers('mlp_multipliers'), raw.numbers('ssm_multipliers')];
  return {
    embedding: one('embedding'),
    logits: one('lm_head'),
    attentionIn: one('attention_in'),
    attentionOut: one('attention_out'),
    key: one('key'),
    ssmIn: one('ssm_in'),
    ssmOut: one('ssm_out'),
    ssm: (ssm ?? [1, 1, 1, 1, 1]) as Multipliers['ssm'],
    mlp: (mlp ?? [1, 1]) as Multipliers['mlp'],
  };
}

function mambaOf(raw: ConfigReader, dModel: number): Mamba2Spec {
  const d = raw.size('mamba_d_ssm', raw.size('mamba_expand', 2) * dModel);
  const heads = raw.size('mamba_n_heads', 128);
  return {
    heads,
    headDim: raw.divides('mamba_n_heads', heads, d),
    groups: raw.size('mamba_n_groups', 1),
    N: raw.size('mamba_d_state', 256),
    dConv: raw.size('mamba_d_conv', 4),
    deltaRange: deltaRange(raw),
  };
}

const times = (g: SegmentBuilder, x: Value, factor: number): Value => (factor === 1 ? x : g.mul(x, factor));

function mixer(g: SegmentBuilder, c: FalconH1Config, x: Value): Value {
  const gated = (y: Value, z: Value) => (c.norm ? gatedNorm(g, y, z, { ...c.norm, groups: c.mamba.groups }) : plainGate(g, y, z));
  const parts = { gated, ...(c.times.ssm.some((factor) => factor !== 1) && { multipliers: c.times.ssm }) };
  const out = g.within('', 'mamba.', () => mamba2Mixer(g, c.mamba, times(g, x, c.times.ssmIn), parts));
  return times(g, out, c.times.ssmOut);
}

function attention(g: SegmentBuilder, c: FalconH1Config, i: number, x: Value): Value {
  const scaledKeys = (_: SegmentBuilder, heads: Value, name: string) =>
    name === 'k_norm' ? times(g, heads, c.times.key) : heads;
  const out = selfAttention(g, c.attention[i] as AttentionSpec, times(g, x, c.times.attentionIn), scaledKeys);
  return times(g, out, c.times.attentionOut);
}

function feedForward(g: SegmentBuilder, c: FalconH1Config, x: Value): Value {
  const [gate, down] = c.times.mlp;
  const pre = g.probe('mlp.pre', times(g, g.linear(x, 'gate_proj', c.dFf), gate)); // [B,T,F]
  const post = g.probe('mlp.post', g.mul(activation(c.act)(g, pre), g.linear(x, 'up_proj', c.dFf)));
  return g.probe('mlp.out', times(g, g.linear(post, 'down_proj', c.dModel), down)); // [B,T,D]
}

/**
 * Falcon-H1: Zuo et al. 2025 (arXiv 2507.22448). Every block attends and runs Mamba-2 side by side on the same input, and adds both.
 */
export const falconH1 = defineArchitecture<FalconH1Config>({
  id: 'falcon_h1',
  names: ['falcon_h1', 'FalconH1ForCausalLM', 'FalconH1Model'],
  ...llamaParts,
  config: (raw, tensors) => {
    const base = llamaConfig(raw, tensors);
    const eps = raw.number('rms_norm_eps', 1e-5);
    const normFirst = raw.flag('mamba_norm_before_gate', true);
    return {
      ...base,
      eps,
      mamba: mambaOf(raw, base.dModel),
      norm: raw.flag('mamba_rms_norm', false) ? { eps, normFirst } : null,
      times: multipliers(raw),
    };
  },
  layer: (c, i) => ({ ...llamaParts.layer(c, i), mixer: 'mamba2' }),
  state: (c, i) => [...attentionState(c.attention[i] as AttentionSpec), ...mamba2State(c.mamba)],
  embed: (g, c) => times(g, embed(g, c), c.times.embedding),
  block: (g, c, x, i) => {
    const ln1 = g.probe('ln1', rmsNorm(g, x, 'input_layernorm', c.eps));
    const mid = g.probe('resid_mid', g.add(x, g.add(mixer(g, c, ln1), attention(g, c, i, ln1))));
    const ln2 = g.probe('ln2', rmsNorm(g, mid, 'pre_ff_layernorm', c.eps));
    return g.add(
      mid,
      g.within('', 'feed_forward.', () => feedForward(g, c, ln2)),
    ); // [B,T,D]
  },
  head: (g, c, x) => times(g, unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'final_layernorm', c.eps))), c.times.logits),
});
