import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { type DeltaSpec, deltaNet, deltaState } from '../graph/blocks/deltaNet.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { feedForward, llamaConfig, llamaParts, MLP, unembed } from './llama.js';
import { mixtureConfig, type Qwen3MoeConfig, routed } from './qwen3Moe.js';

interface Qwen3NextConfig extends Qwen3MoeConfig {
  readonly delta: DeltaSpec;
  readonly attends: (i: number) => boolean;
  readonly sharedSize: number;
}

/** Norms store their weight minus one. */
const norm = (g: SegmentBuilder, c: Qwen3NextConfig, x: Value, name: string): Value => rmsNorm(g, x, name, c.eps, 1);

/** Attention whose output each channel of each query head gates. */
function attention(g: SegmentBuilder, c: Qwen3NextConfig, spec: AttentionSpec, x: Value): Value {
  const { heads: H, kvHeads: K, headDim: E } = spec;
  const both = splitHeads(g, g.linear(x, 'q_proj', 2 * H * E), H); // [B,H,T,2E]
  const [q, opening] = g.split(both, -1, [E, E]) as [Value, Value];
  const k = splitHeads(g, g.linear(x, 'k_proj', K * E), K); // [B,K,T,E]
  const v = splitHeads(g, g.linear(x, 'v_proj', K * E), K);
  const z = attend(g, spec, { q: norm(g, c, q, 'q_norm'), k: norm(g, c, k, 'k_norm'), v }); // [B,T,H·E]
  const gate = g.probe('attn.gate', g.sigmoid(g.reshape(g.transpose(opening, 0, 2, 1, 3), 0, 0, H * E)));
  return g.probe('attn.out', g.linear(g.mul(z, gate), 'o_proj', c.dModel)); // [B,T,D]
}

/** Projections are stored by key head: its q and k, then v and z of the value heads it serves. */
function linearAttention(g: SegmentBuilder, c: Qwen3NextConfig, x: Value): Value {
  const { keyHeads: K, keyDim: E, heads: H, headDim: V } = c.delta;
  const served = H / K;
  const rows = g.reshape(g.linear(x, 'in_proj_qkvz', 2 * K * E + 2 * H * V), 0, 0, K, 2 * E + 2 * served * V);
  const [q, k, v, z] = g.split(rows, -1, [E, E, served * V, served * V]) as [Value, Value, Value, Value]; // [B,T,K,·]
  const rates = g.reshape(g.linear(x, 'in_proj_ba', 2 * H), 0, 0, K, 2 * served);
  const [b, a] = g.split(rates, -1, [served, served]).map((part) => g.reshape(part, 0, 0, H)) as [Value, Value];
  const flat = (part: Value, size: number) => g.reshape(part, 0, 0, size);
  const qkv = g.concat([flat(q, K * E), flat(k, K * E), flat(v, H * V)], -1);
  return deltaNet(g, c.delta, c.dModel, { qkv, z: g.reshape(z, 0, 0, H, V), a, b });
}

/** Routed experts and one that takes every token, gated by a number a token. */
function moe(g: SegmentBuilder, c: Qwen3NextConfig, x: Value): Value {
  const chosen = routed(g, c, x);
  const shared = g.within('', 'shared_expert.', () => gatedMlp(g, x, c.sharedSize, activation(c.act), MLP, 'mlp.shared'));
  return g.probe('mlp.out', g.add(chosen, g.mul(shared, g.sigmoid(g.linear(x, 'shared_expert_gate', 1))))); // [B,T,D]
}

/**
 * Qwen3-Next: Qwen Team 2025 (qwen.ai/blog, "Qwen3-Next"); Gated DeltaNet: Yang et al. 2024 (arXiv 2412.06464); official code in transformers.
 * Three layers of gated delta net to one of gated attention; many small experts.
 */
export const qwen3Next = defineArchitecture<Qwen3NextConfig>({
  id: 'qwen3_next',
  names: ['qwen3_next', 'Qwen3NextForCausalLM', 'Qwen3NextModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const base = llamaConfig(raw, tensors, () => null, { style: 'half', fraction: 0.25 });
    const types = raw.perLayer('layer_types', base.layers);
    const every = raw.size('full_attention_interval', 4);
    const [keyHeads, heads] = [raw.size('linear_num_key_heads', 16), raw.size('linear_num_value_heads', 32)];
    raw.divides('linear_num_key_heads', keyHeads, heads);
    return {
      ...base,
      ...mixtureConfig(raw, true),
      sharedSize: raw.size('shared_expert_intermediate_size', 512),
      attends: (i) => (types ? types[i] === 'full_attention' : (i + 1) % every === 0),
      delta: {
        keyHeads,
        keyDim: raw.size('linear_key_head_dim', 128),
        heads,
        headDim: raw.size('linear_value_head_dim', 128),
        dConv: raw.size('linear_conv_kernel_dim', 4),
        eps: base.eps,
      },
    };
  },
  layer: (c, i) =>
    c.attends(i)
      ? llamaParts.layer(c, i)
      : { mixer: 'deltanet', attention: null, heads: c.delta.heads, headDim: c.delta.headDim },
  state: (c, i) => (c.attends(i) ? attentionState(c.attention[i] as AttentionSpec) : deltaState(c.delta)),
  block: (g, c, x, i) => {
    const ln1 = g.probe('ln1', norm(g, c, x, 'input_layernorm'));
    const mixed = c.attends(i)
      ? g.within('', 'self_attn.', () => attention(g, c, c.attention[i] as AttentionSpec, ln1))
      : g.within('', 'linear_attn.', () => linearAttention(g, c, ln1));
    const mid = g.probe('resid_mid', g.add(x, mixed));
    const ln2 = g.probe('ln2', norm(g, c, mid, 'post_attention_layernorm'));
    return g.add(mid, c.dense(i) ? feedForward(g, c, ln2) : g.within('', 'mlp.', () => moe(g, c, ln2))); // [B,T,D]
  },
  head: (g, c, x) => unembed(g, c, g.probe('ln_final', norm(g, c, x, 'norm'))),
});
