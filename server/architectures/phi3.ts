import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, splitHeads } from '../graph/blocks/attention.js';
import { activation, fusedGatedMlp } from '../graph/blocks/mlp.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts, preNormBlock } from './llama.js';

export const FUSED_MLP = { gateUp: 'gate_up_proj', down: 'down_proj' };

function attention(g: SegmentBuilder, spec: AttentionSpec, x: Value): Value {
  const sizes = [spec.heads, spec.kvHeads, spec.kvHeads].map((n) => n * spec.headDim);
  const rows = g.linear(
    x,
    'self_attn.qkv_proj',
    sizes.reduce((a, b) => a + b),
  );
  const [q, k, v] = g.split(rows, -1, sizes) as [Value, Value, Value];
  const heads = { q: splitHeads(g, q, spec.heads), k: splitHeads(g, k, spec.kvHeads), v: splitHeads(g, v, spec.kvHeads) };
  return g.probe('attn.out', g.linear(attend(g, spec, heads), 'self_attn.o_proj', x.shape.at(-1) as number)); // [B,T,D]
}

/**
 * Phi-3: Abdin et al. 2024 (arXiv 2404.14219). Llama with q, k, v in one matrix, gate and up in another, and LongRoPE (Ding et al. 2024) in
 * the long-context models.
 */
export const phi3 = defineArchitecture<LlamaConfig>({
  id: 'phi3',
  names: ['phi3', 'Phi3ForCausalLM', 'Phi3Model'],
  ...llamaParts,
  config: (raw, tensors) => {
    const window = raw.optional('sliding_window');
    return llamaConfig(raw, tensors, () => window, { eps: 1e-5 });
  },
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) => attention(g, c.attention[i] as AttentionSpec, ln1),
      mlp: (ln2) => g.within('', 'mlp.', () => fusedGatedMlp(g, ln2, c.dFf, activation(c.act), FUSED_MLP)),
    }),
});
