import { defineArchitecture } from '../graph/architecture.js';
import type { ConfigReader } from '../graph/config.js';
import type { TensorTable } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts } from './llama.js';

/** Layers slide where `layer_types` says so, or from `max_window_layers` on when `use_sliding_window` is set. */
export function qwenConfig(raw: ConfigReader, tensors: TensorTable): LlamaConfig {
  const layers = raw.layers('num_hidden_layers');
  const window = raw.flag('use_sliding_window', false) ? raw.number('sliding_window', 4096) : null;
  const types = raw.perLayer('layer_types', layers);
  const first = raw.number('max_window_layers', 28);
  return llamaConfig(raw, tensors, (i) => ((types ? types[i] === 'sliding_attention' : i >= first) ? window : null));
}

/**
 * Qwen2: Yang et al. 2024 (arXiv 2407.10671). Llama with biases on q, k and v, which `linear` finds in the checkpoint.
 */
export const qwen2 = defineArchitecture<LlamaConfig>({
  id: 'qwen2',
  names: ['qwen2', 'Qwen2ForCausalLM', 'Qwen2Model'],
  ...llamaParts,
  config: qwenConfig,
  block: (g, c, x, i) => llamaParts.block(g, c, x, i),
});
