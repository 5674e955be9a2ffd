import { defineArchitecture } from '../graph/architecture.js';
import { type LlamaConfig, llamaConfig, llamaParts } from './llama.js';

/**
 * Mistral: Jiang et al. 2023 (arXiv 2310.06825); official code mistralai/mistral-inference transformer.py.
 * Llama with a sliding window: a query sees the last `sliding_window` tokens, so the cache keeps one fewer.
 */
export const mistral = defineArchitecture<LlamaConfig>({
  id: 'mistral',
  names: ['mistral', 'MistralForCausalLM', 'MistralModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    // a config that leaves the key out means 4096; later models say null
    const window = raw.raw.sliding_window === undefined ? 4096 : raw.optional('sliding_window');
    return llamaConfig(raw, tensors, () => window);
  },
  block: (g, c, x, i) => llamaParts.block(g, c, x, i),
});
