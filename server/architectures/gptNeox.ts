import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState } from '../graph/blocks/attention.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { rope } from '../graph/blocks/rope.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';

interface NeoxConfig extends CoreConfig {
  readonly eps: number;
  readonly dFf: number;
  readonly act: string;
  readonly parallel: boolean;
  readonly attention: AttentionSpec;
}

/** One matrix gives q, k and v head by head: rows of head 0's q, k, v, then of head 1's. */
function attention(g: SegmentBuilder, c: NeoxConfig, x: Value): Value {
  const { heads: H, headDim: E } = c.attention;
  const byHead = g.reshape(g.linear(x, 'attention.query_key_value', 3 * H * E), 0, 0, H, 3 * E);
  const [q, k, v] = g.split(g.transpose(byHead, 0, 2, 1, 3), -1, [E, E, E]) as [Value, Value, Value]; // [B,H,T,E]
  return g.probe('attn.out', g.linear(attend(g, c.attention, { q, k, v }), 'attention.dense', c.dModel)); // [B,T,D]
}

function mlp(g: SegmentBuilder, c: NeoxConfig, x: Value): Value {
  const pre = g.probe('mlp.pre', g.linear(x, 'mlp.dense_h_to_4h', c.dFf)); // [B,T,F]
  return g.probe('mlp.out', g.linear(g.probe('mlp.post', activation(c.act)(g, pre)), 'mlp.dense_4h_to_h', c.dModel)); // [B,T,D]
}

/**
 * GPT-NeoX: Black et al. 2022 (arXiv 2204.06745), Pythia: Biderman et al. 2023 (2304.01373); official code EleutherAI/gpt-neox.
 * Attention and MLP both read the stream as it enters the block (parallel residual); RoPE turns a quarter of each head.
 */
export const gptNeox = defineArchitecture<NeoxConfig>({
  id: 'gpt_neox',
  names: ['gpt_neox', 'GPTNeoXForCausalLM', 'GPTNeoXModel'],
  prefixes: ['gpt_neox.', ''],
  anchor: 'embed_in.weight',
  blockPrefix: (i) => `layers.${i}.`,
  config: (raw) => {
    const dModel = raw.size('hidden_size');
    const heads = raw.size('num_attention_heads');
    const headDim = raw.divides('num_attention_heads', heads, dModel);
    const parameters = raw.rope(raw.number('rotary_emb_base', 10_000));
    const fraction = parameters.get('partial_rotary_factor') ?? raw.number(['rotary_pct', 'partial_rotary_factor'], 0.25);
    const turn = rope(Math.floor(headDim * fraction), parameters);
    return {
      dModel,
      layers: raw.layers('num_hidden_layers'),
      vocab: raw.size('vocab_size'),
      context: raw.optional('max_position_embeddings'),
      stretches: turn.stretch?.beyond ?? null,
      eps: raw.number('layer_norm_eps', 1e-5),
      dFf: raw.size('intermediate_size'),
      act: raw.word('hidden_act', activationNames, 'gelu'),
      parallel: raw.flag('use_parallel_residual', true),
      attention: { heads, kvHeads: heads, headDim, scale: headDim ** -0.5, softcap: null, window: null, rope: turn },
    };
  },
  layer: (c) => ({ mixer: 'attention', attention: c.attention, heads: c.attention.heads, headDim: c.attention.headDim }),
  state: (c) => attentionState(c.attention),
  embed: (g, c) => g.gather(g.weight('embed_in.weight', [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (g, c, x) => {
    const mid = g.probe('resid_mid', g.add(x, attention(g, c, g.probe('ln1', layerNorm(g, x, 'input_layernorm', c.eps)))));
    const ln2 = g.probe('ln2', layerNorm(g, c.parallel ? x : mid, 'post_attention_layernorm', c.eps));
    return g.add(mid, mlp(g, c, ln2)); // [B,T,D]
  },
  head: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'final_layer_norm', c.eps));
    const own = g.topWeight(['embed_out.weight', 'lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? g.weight('embed_in.weight', [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  },
});
