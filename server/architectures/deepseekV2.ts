import { defineArchitecture } from '../graph/architecture.js';
import { splitHeads } from '../graph/blocks/attention.js';
import { type LatentSpec, latentAttention, latentStates } from '../graph/blocks/mla.js';
import { activation, activationNames, gatedMlp } from '../graph/blocks/mlp.js';
import { type Choice, choose, type Groups, gatedExpert, inBestGroups, mixture } from '../graph/blocks/moe.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { type Rope, rope } from '../graph/blocks/rope.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { feedForward, type LlamaConfig, llamaParts, MLP, preNormBlock } from './llama.js';

export interface DeepseekConfig extends LlamaConfig {
  readonly latent: LatentSpec;
  /** Rank of the queries' own compression; null when they have none. */
  readonly qRank: number | null;
  /** Layers with one MLP for all tokens. */
  readonly dense: (i: number) => boolean;
  readonly experts: number;
  readonly perToken: number;
  readonly expertSize: number;
  /** F of the expert that takes every token; 0: there is none. */
  readonly sharedSize: number;
  /** Null: any experts may be chosen together. */
  readonly groups: Groups | null;
  readonly routedScale: number;
}

/** Norms inside the attention have this ε whatever the config says. */
const INNER_EPS = 1e-6;

/** YaRN sharpens the softmax where `mscale_all_dim` says so (Peng et al. 2023, eq. 22). */
function sharpening(raw: ConfigReader): number {
  const p = raw.rope();
  const all = p.type === 'default' ? null : p.get('mscale_all_dim');
  const factor = p.get('factor') ?? 1;
  return !all || factor <= 1 ? 1 : (0.1 * all * Math.log(factor) + 1) ** 2;
}

export function deepseekConfig(raw: ConfigReader, style: Rope['style'], denseAtFirst: number): Omit<DeepseekConfig, 'groups'> {
  const layers = raw.layers('num_hidden_layers');
  const heads = raw.size('num_attention_heads');
  const [nopeDim, ropeDim] = [raw.size('qk_nope_head_dim'), raw.size('qk_rope_head_dim')];
  const headDim = nopeDim + ropeDim;
  const turn = rope(ropeDim, raw.rope(), style);
  const rank = raw.size('kv_lora_rank');
  const latent: LatentSpec = {
    heads,
    kvHeads: heads,
    headDim,
    nopeDim,
    valueDim: raw.size('v_head_dim'),
    rank,
    latent: rank + turn.dims,
    scale: headDim ** -0.5 * sharpening(raw),
    softcap: null,
    window: null,
    rope: turn,
  };
  const [firstDense, every] = [raw.number('first_k_dense_replace', denseAtFirst), raw.size('moe_layer_freq', 1)];
  const expertSize = raw.size('moe_intermediate_size');
  return {
    layers,
    dModel: raw.size('hidden_size'),
    vocab: raw.size('vocab_size'),
    context: raw.optional('max_position_embeddings'),
    stretches: turn.stretch?.beyond ?? null,
    eps: raw.number('rms_norm_eps', 1e-6),
    dFf: raw.size('intermediate_size'),
    act: raw.word('hidden_act', activationNames, 'silu'),
    attention: new Array<LatentSpec>(layers).fill(latent),
    latent,
    qRank: raw.optional('q_lora_rank'),
    dense: (i) => i < firstDense || i % every !== 0,
    experts: raw.size(['n_routed_experts', 'num_local_experts']),
    perToken: raw.size('num_experts_per_tok'),
    expertSize,
    sharedSize: expertSize * (raw.optional('n_shared_experts') ?? 0),
    routedScale: raw.number('routed_scaling_factor', 1),
  };
}

function attention(g: SegmentBuilder, c: DeepseekConfig, x: Value, unzip: (g: SegmentBuilder, pe: Value) => Value): Value {
  const { heads: H, headDim: E, nopeDim, valueDim, rank: R, rope: turn } = c.latent;
  return g.within('', 'self_attn.', () => {
    const rows =
      c.qRank === null
        ? g.linear(x, 'q_proj', H * E)
        : g.linear(rmsNorm(g, g.linear(x, 'q_a_proj', c.qRank), 'q_a_layernorm', INNER_EPS), 'q_b_proj', H * E);
    const [still, turning] = g.split(splitHeads(g, rows, H), -1, [nopeDim, turn.dims]) as [Value, Value]; // [B,H,T,·]
    const [latent, kPe] = g.split(g.linear(x, 'kv_a_proj_with_mqa', R + turn.dims), -1, [R, turn.dims]) as [Value, Value];
    const z = latentAttention(g, c.latent, {
      q: g.concat([still, unzip(g, turning)], -1),
      cKv: rmsNorm(g, latent, 'kv_a_layernorm', INNER_EPS),
      kPe: unzip(g, kPe),
      up: g.weight('kv_b_proj.weight', [H * (nopeDim + valueDim), R]),
    });
    return g.probe('attn.out', g.linear(z, 'o_proj', c.dModel)); // [B,T,D]
  });
}

/** Routed experts and the shared one. `route`: which experts, from the router's logits [B,T,X]. */
function moe(g: SegmentBuilder, c: DeepseekConfig, x: Value, route: (logits: Value) => Choice): Value {
  const spec = { experts: c.experts, size: c.expertSize, act: activation(c.act), names: MLP };
  return g.within('', 'mlp.', () => {
    const { weights, experts } = route(g.probe('router.logits', g.linear(x, 'gate', c.experts)));
    const choice = { experts, weights: c.routedScale === 1 ? weights : g.mul(weights, c.routedScale) };
    const routed = mixture(g, x, choice, c.experts, (e, rows) => gatedExpert(g, rows, e, spec)); // [B,T,D]
    if (c.sharedSize === 0) return g.probe('mlp.out', routed);
    const shared = g.within('', 'shared_experts.', () => gatedMlp(g, x, c.sharedSize, activation(c.act), MLP, 'mlp.shared'));
    return g.probe('mlp.out', g.add(routed, shared)); // [B,T,D]
  });
}

/** What V2 and V3 share. `unzip` puts the pairs that turn together into the layout of the RoPE. */
export const deepseekParts = {
  ...llamaParts,
  layer: (c: DeepseekConfig) =>
    ({ mixer: 'attention', attention: c.latent, heads: c.latent.heads, headDim: c.latent.headDim }) as const,
  state: (c: DeepseekConfig) => latentStates(c.latent),
  block: (
    g: SegmentBuilder,
    c: DeepseekConfig,
    x: Value,
    i: number,
    route: (logits: Value) => Choice,
    unzip: (g: SegmentBuilder, pe: Value) => Value = (_, pe) => pe,
  ): Value =>
    preNormBlock(g, c, x, {
      attention: (ln1) => attention(g, c, ln1, unzip),
      mlp: (ln2) => (c.dense(i) ? feedForward(g, c, ln2) : moe(g, c, ln2, route)),
    }),
};

/**
 * DeepSeek-V2: DeepSeek-AI 2024 (arXiv 2405.04434), DeepSeekMoE: Dai et al. 2024 (2401.06066). Latent attention; routed experts, limited to
 * the groups that hold the best, beside shared ones.
 */
export const deepseekV2 = defineArchitecture<DeepseekConfig>({
  id: 'deepseek_v2',
  names: ['deepseek_v2', 'DeepseekV2ForCausalLM', 'DeepseekV2Model'],
  ...deepseekParts,
  config: (raw) => {
    const limited = raw.word('topk_method', ['greedy', 'group_limited_greedy'], 'greedy') === 'group_limited_greedy';
    const groups = limited ? { count: raw.size('n_group'), kept: raw.size('topk_group'), best: 1 } : null;
    return { ...deepseekConfig(raw, 'interleaved', 0), groups };
  },
  block: (g, c, x, i) =>
    deepseekParts.block(g, c, x, i, (logits) => {
      const scores = g.softmax(logits);
      return choose(g, c.perToken, scores, c.groups ? inBestGroups(g, scores, c.groups) : scores);
    }),
});
