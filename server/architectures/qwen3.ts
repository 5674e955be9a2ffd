import { defineArchitecture } from '../graph/architecture.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { type LlamaConfig, llamaParts } from './llama.js';
import { qwenConfig } from './qwen2.js';

/**
 * Qwen3: Yang et al. 2025 (arXiv 2505.09388). Llama with an RMSNorm over each head of q and k before RoPE (Dehghani et al. 2023).
 */
export const qwen3 = defineArchitecture<LlamaConfig>({
  id: 'qwen3',
  names: ['qwen3', 'Qwen3ForCausalLM', 'Qwen3Model'],
  ...llamaParts,
  config: qwenConfig,
  block: (g, c, x, i) => llamaParts.block(g, c, x, i, (_, heads, name) => rmsNorm(g, heads, `self_attn.${name}`, c.eps)),
});
