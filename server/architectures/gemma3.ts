import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attentionState } from '../graph/blocks/attention.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { rope } from '../graph/blocks/rope.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { embed, type LlamaConfig, llamaConfig, llamaParts, MLP, selfAttention, unembed } from './llama.js';

export interface GemmaConfig extends LlamaConfig {
  /** Gemma stores norm weights minus one; GGUF files have the one added. */
  readonly normOffset: number;
  readonly finalSoftcap: number | null;
}

/** Five sliding layers to one full one; each kind has its own RoPE base. */
function config(raw: ConfigReader, tensors: TensorTable): GemmaConfig {
  raw.refuse('use_bidirectional_attention', true);
  const core = llamaConfig(raw, tensors);
  const types = raw.perLayer('layer_types', core.layers);
  const every = raw.optional('sliding_window_pattern', '_sliding_window_pattern') ?? 6;
  const window = raw.optional('sliding_window') ?? 4096;
  const slides = (i: number) => (types ? types[i] === 'sliding_attention' : (i + 1) % every !== 0);
  const shared = core.attention[0] as AttentionSpec;
  const local = raw.value('rope_parameters')
    ? raw.rope(10_000, 'sliding_attention')
    : { ...raw.rope(), type: 'default', theta: raw.number('rope_local_base_freq', 10_000) };
  const common = {
    ...shared,
    // Differs from Gemma 2: attn_logit_softcapping is still a key of the config, but nothing reads it
    scale: raw.number('query_pre_attn_scalar', 256) ** -0.5,
  };
  const full = { ...common, window: null, rope: rope(shared.headDim, raw.rope(1_000_000, 'full_attention')) };
  const sliding = { ...common, window, rope: rope(shared.headDim, local) };
  return {
    ...core,
    ...gemmaDefaults(raw),
    attention: Array.from({ length: core.layers }, (_, i) => (slides(i) ? sliding : full)),
    finalSoftcap: raw.optional('final_logit_softcapping'),
  };
}

/** Keys of both generations that Llama's config reads with another default. */
export const gemmaDefaults = (raw: ConfigReader) => ({
  act: raw.word('hidden_activation', ['gelu_pytorch_tanh', 'gelu', 'silu'], 'gelu_pytorch_tanh'),
  normOffset: raw.flag('_norm_offset_baked', false) ? 0 : 1,
});

/** Norms before and behind both halves; `qkNorm` also over each head of q and k. */
function block(g: SegmentBuilder, c: GemmaConfig, x: Value, i: number, qkNorm: boolean): Value {
  const norm = (y: Value, name: string) => rmsNorm(g, y, name, c.eps, c.normOffset);
  const attention = selfAttention(
    g,
    c.attention[i] as AttentionSpec,
    g.probe('ln1', norm(x, 'input_layernorm')),
    qkNorm ? (_, heads, name) => norm(heads, `self_attn.${name}`) : undefined,
  );
  const mid = g.probe('resid_mid', g.add(x, norm(attention, 'post_attention_layernorm')));
  const ln2 = g.probe('ln2', norm(mid, 'pre_feedforward_layernorm'));
  const mlp = g.within('', 'mlp.', () => gatedMlp(g, ln2, c.dFf, activation(c.act), MLP));
  return g.add(mid, norm(mlp, 'post_feedforward_layernorm')); // [B,T,D]
}

/** What Gemma 2 and 3 share: embeddings scaled by √D, one RoPE and window a kind of layer, tied logits. */
export const gemmaParts = {
  ...llamaParts,
  state: (c: GemmaConfig, i: number) => attentionState(c.attention[i] as AttentionSpec),
  embed: (g: SegmentBuilder, c: GemmaConfig): Value => g.mul(embed(g, c), Math.fround(Math.sqrt(c.dModel))),
  block,
  head: (g: SegmentBuilder, c: GemmaConfig, x: Value): Value => {
    const logits = unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'norm', c.eps, c.normOffset)));
    return c.finalSoftcap === null ? logits : g.mul(g.tanh(g.div(logits, c.finalSoftcap)), c.finalSoftcap);
  },
};

/**
 * Gemma 3: Gemma Team 2025 (arXiv 2503.19786); official code google-deepmind/gemma. Norms on both sides of each half, q/k norms,
 * embeddings scaled by √D, sliding and full layers.
 */
export const gemma3 = defineArchitecture<GemmaConfig>({
  id: 'gemma3',
  names: ['gemma3_text', 'Gemma3ForCausalLM', 'Gemma3TextModel'],
  ...gemmaParts,
  config,
  block: (g, c, x, i) => gemmaParts.block(g, c, x, i, true),
});
