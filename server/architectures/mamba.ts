import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { type MambaSpec, mambaMixer, mambaState } from '../graph/blocks/mamba.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';

/** What Mamba, its successor and their ports share beside the mixer. */
export interface MambaBase extends CoreConfig {
  readonly eps: number;
}

export interface MambaConfig extends MambaBase, MambaSpec {}

/** Hugging Face's spelling, the original code's, and GGUF converters'. */
const EMBEDDING = ['embeddings.weight', 'embedding.weight', 'embed_tokens.weight'];
const embedding = (g: SegmentBuilder, c: MambaBase): Value => g.weight(EMBEDDING, [c.vocab, c.dModel]);

export const mambaBase = (raw: ConfigReader): MambaBase => {
  raw.word('hidden_act', ['silu', 'swish'], 'silu');
  return {
    dModel: raw.size(['hidden_size', 'd_model']),
    layers: raw.layers(['num_hidden_layers', 'n_layer']),
    vocab: raw.size('vocab_size'),
    context: null,
    eps: raw.number('layer_norm_epsilon', 1e-5),
  };
};

export function mambaConfig(raw: ConfigReader): MambaConfig {
  const base = mambaBase(raw);
  const rank = Math.ceil(base.dModel / 16);
  return {
    ...base,
    dInner: raw.size(['intermediate_size', 'd_inner'], Math.floor(raw.number('expand', 2) * base.dModel)),
    dConv: raw.size(['conv_kernel', 'd_conv'], 4),
    N: raw.size(['state_size', 'd_state'], 16),
    R: raw.value('time_step_rank', 'dt_rank') === 'auto' ? rank : raw.size(['time_step_rank', 'dt_rank'], rank),
  };
}

/** A stack of x + mixer(norm x) and nothing else. */
export const mambaParts = {
  prefixes: ['backbone.', 'model.', ''],
  anchor: EMBEDDING,
  blockPrefix: (i: number) => `layers.${i}.`,
  embed: (g: SegmentBuilder, c: MambaBase): Value => g.gather(embedding(g, c), g.tokens), // [B,T,D]
  block: (g: SegmentBuilder, c: MambaBase, x: Value, mixer: (ln1: Value) => Value): Value => {
    const normed = g.probe('ln1', rmsNorm(g, x, 'norm', c.eps));
    return g.add(
      x,
      g.within('', 'mixer.', () => mixer(normed)),
    ); // [B,T,D]
  },
  head: (g: SegmentBuilder, c: MambaBase, x: Value): Value => {
    const normed = g.probe('ln_final', rmsNorm(g, x, 'norm_f', c.eps));
    const own = g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? embedding(g, c), { transB: true }); // [B,T,V]
  },
};

/**
 * Mamba: Gu & Dao 2023 (arXiv 2312.00752), Alg. 2; official code state-spaces/mamba mamba_simple.py.
 * d = d_inner channels, N = d_state, R = dt_rank, Δ = step size, h = state [d,N].
 */
export const mamba = defineArchitecture<MambaConfig>({
  id: 'mamba',
  names: ['mamba', 'MambaForCausalLM', 'MambaModel', 'MambaLMHeadModel'],
  ...mambaParts,
  config: mambaConfig,
  layer: (c) => ({ mixer: 'mamba', attention: null, heads: 1, headDim: c.dInner }),
  state: mambaState,
  block: (g, c, x) => mambaParts.block(g, c, x, (ln1) => mambaMixer(g, c, ln1)),
});
