import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { activation, fusedGatedMlp } from '../graph/blocks/mlp.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts, preNormBlock, selfAttention } from './llama.js';
import { FUSED_MLP } from './phi3.js';

/** The first half of each head turns, in neighbouring pairs. */
export const glmConfig = (raw: ConfigReader, tensors: TensorTable): LlamaConfig =>
  llamaConfig(raw, tensors, () => null, { style: 'interleaved', fraction: 0.5, eps: 1.5625e-7 });

export const glmMlp = (g: SegmentBuilder, c: LlamaConfig, x: Value): Value =>
  g.within('', 'mlp.', () => fusedGatedMlp(g, x, c.dFf, activation(c.act), FUSED_MLP));

/**
 * GLM-4 (the 9B of 2024): Team GLM 2024 (arXiv 2406.12793), in Hugging Face's tensor names. Llama with biases on q, k and v, gate and up in
 * one matrix, and RoPE on half of each head.
 */
export const glm = defineArchitecture<LlamaConfig>({
  id: 'glm',
  names: ['glm', 'GlmForCausalLM', 'GlmModel'],
  ...llamaParts,
  config: glmConfig,
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) => selfAttention(g, c.attention[i] as AttentionSpec, ln1),
      mlp: (ln2) => glmMlp(g, c, ln2),
    }),
});
