import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { glmConfig, glmMlp } from './glm.js';
import { type LlamaConfig, llamaParts, preNormBlock, selfAttention } from './llama.js';

/**
 * GLM-4-0414: the models after Team GLM 2024 (arXiv 2406.12793); official code zai-org/GLM-4. GLM with a second norm behind each half
 * (sandwich norms, Ding et al. 2021).
 */
export const glm4 = defineArchitecture<LlamaConfig>({
  id: 'glm4',
  names: ['glm4', 'Glm4ForCausalLM', 'Glm4Model'],
  ...llamaParts,
  config: glmConfig,
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) => rmsNorm(g, selfAttention(g, c.attention[i] as AttentionSpec, ln1), 'post_self_attn_layernorm', c.eps),
      mlp: (ln2) => rmsNorm(g, glmMlp(g, c, ln2), 'post_mlp_layernorm', c.eps),
    }),
});
