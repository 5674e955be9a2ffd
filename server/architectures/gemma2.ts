import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { type GemmaConfig, gemmaDefaults, gemmaParts } from './gemma3.js';
import { llamaConfig } from './llama.js';

/**
 * Gemma 2: Gemma Team 2024 (arXiv 2408.00118); official code google-deepmind/gemma. Soft caps on scores and logits, norms on both sides of
 * each half; every second layer sees a window only, the first one too.
 */
export const gemma2 = defineArchitecture<GemmaConfig>({
  id: 'gemma2',
  names: ['gemma2', 'Gemma2ForCausalLM', 'Gemma2Model'],
  ...gemmaParts,
  config: (raw, tensors) => {
    raw.refuse('use_bidirectional_attention', true);
    const core = llamaConfig(raw, tensors);
    const types = raw.perLayer('layer_types', core.layers);
    const window = raw.number('sliding_window', 4096);
    const slides = (i: number) => (types ? types[i] === 'sliding_attention' : i % 2 === 0);
    const full = {
      ...(core.attention[0] as AttentionSpec),
      scale: raw.number('query_pre_attn_scalar', 256) ** -0.5,
      softcap: raw.raw.attn_logit_softcapping === undefined ? 50 : raw.optional('attn_logit_softcapping'),
    };
    const sliding = { ...full, window };
    return {
      ...core,
      ...gemmaDefaults(raw),
      attention: Array.from({ length: core.layers }, (_, i) => (slides(i) ? sliding : full)),
      finalSoftcap: raw.raw.final_logit_softcapping === undefined ? 30 : raw.optional('final_logit_softcapping'),
    };
  },
  block: (g, c, x, i) => gemmaParts.block(g, c, x, i, false),
});
