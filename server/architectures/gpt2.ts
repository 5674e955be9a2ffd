import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { layerNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';

interface Gpt2Config extends CoreConfig {
  readonly eps: number;
  readonly dFf: number;
  readonly act: string;
  readonly context: number;
  readonly attention: readonly AttentionSpec[];
}

/** y = x W + b. Differs: GPT-2 stores W as [in, out] (Conv1D). */
const conv1d = (g: SegmentBuilder, x: Value, name: string, size: number): Value =>
  g.add(g.matmul(x, g.weight(`${name}.weight`, [x.shape.at(-1) as number, size])), g.weight(`${name}.bias`, [size]));

function block(g: SegmentBuilder, c: Gpt2Config, x: Value, i: number): Value {
  const spec = c.attention[i] as AttentionSpec;
  const ln1 = g.probe('ln1', layerNorm(g, x, 'ln_1', c.eps));
  const [q, k, v] = g
    .split(conv1d(g, ln1, 'attn.c_attn', 3 * c.dModel), -1, [c.dModel, c.dModel, c.dModel])
    .map((part) => splitHeads(g, part, spec.heads)) as [Value, Value, Value]; // [B,H,T,E]
  const out = g.probe('attn.out', conv1d(g, attend(g, spec, { q, k, v }), 'attn.c_proj', c.dModel));
  const mid = g.probe('resid_mid', g.add(x, out)); // [B,T,D]
  const pre = g.probe('mlp.pre', conv1d(g, g.probe('ln2', layerNorm(g, mid, 'ln_2', c.eps)), 'mlp.c_fc', c.dFf)); // [B,T,F]
  const post = g.probe('mlp.post', activation(c.act)(g, pre));
  return g.add(mid, g.probe('mlp.out', conv1d(g, post, 'mlp.c_proj', c.dModel))); // [B,T,D]
}

/**
 * GPT-2: Radford et al. 2019; official code openai/gpt-2 model.py. LayerNorm before, learned positions, one matrix for q, k and v.
 */
export const gpt2 = defineArchitecture<Gpt2Config>({
  id: 'gpt2',
  names: ['gpt2', 'GPT2LMHeadModel', 'GPT2Model'],
  prefixes: ['transformer.', ''],
  anchor: 'wte.weight',
  blockPrefix: (i) => `h.${i}.`,
  config: (raw) => {
    const dModel = raw.size(['n_embd', 'hidden_size']);
    const layers = raw.layers(['n_layer', 'num_hidden_layers']);
    const heads = raw.size(['n_head', 'num_attention_heads']);
    const context = raw.size(['n_positions', 'max_position_embeddings', 'n_ctx']);
    const headDim = raw.divides('n_head', heads, dModel);
    const plain = raw.flag('scale_attn_weights', true) ? headDim ** -0.5 : 1;
    const byLayer = raw.flag('scale_attn_by_inverse_layer_idx', false);
    return {
      dModel,
      layers,
      vocab: raw.size('vocab_size'),
      context,
      limit: context,
      eps: raw.number('layer_norm_epsilon', 1e-5),
      dFf: raw.optional('n_inner', 'intermediate_size') ?? 4 * dModel,
      act: raw.word('activation_function', activationNames, 'gelu_new'),
      attention: Array.from({ length: layers }, (_, i) => ({
        heads,
        kvHeads: heads,
        headDim,
        scale: byLayer ? plain / (i + 1) : plain,
        softcap: null,
        window: null,
        rope: null,
      })),
    };
  },
  layer: (c, i) => ({
    mixer: 'attention',
    attention: c.attention[i] as AttentionSpec,
    heads: c.attention[i]?.heads ?? 1,
    headDim: c.attention[i]?.headDim ?? 0,
  }),
  state: (c, i) => attentionState(c.attention[i] as AttentionSpec),
  embed: (g, c) =>
    g.add(
      g.gather(g.weight('wte.weight', [c.vocab, c.dModel]), g.tokens),
      g.gather(g.weight('wpe.weight', [c.context, c.dModel]), g.positions(g.tokens)),
    ), // [B,T,D]
  block,
  head: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'ln_f', c.eps));
    const own = g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? g.weight('wte.weight', [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  },
});
