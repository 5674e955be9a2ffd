import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { activation } from '../graph/blocks/mlp.js';
import { choose, gatedExpert, mixture, normalised } from '../graph/blocks/moe.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts, MLP, preNormBlock, selfAttention } from './llama.js';

interface MixtralConfig extends LlamaConfig {
  readonly experts: number;
  readonly perToken: number;
}

const PUBLISHED = { gate: 'w1', up: 'w3', down: 'w2' };

/** A softmax over the chosen experts only. */
function moe(g: SegmentBuilder, c: MixtralConfig, x: Value): Value {
  const published = g.has('block_sparse_moe.gate.weight');
  const spec = { experts: c.experts, size: c.dFf, act: activation(c.act), names: published ? PUBLISHED : MLP };
  return g.within('', published ? 'block_sparse_moe.' : 'mlp.', () => {
    const scores = g.softmax(g.probe('router.logits', g.linear(x, 'gate', c.experts))); // [B,T,X]
    const { weights, experts } = choose(g, c.perToken, scores);
    const choice = { experts, weights: normalised(g, weights) };
    return g.probe(
      'mlp.out',
      mixture(g, x, choice, c.experts, (e, rows) => gatedExpert(g, rows, e, spec)),
    ); // [B,T,D]
  });
}

/**
 * Mixtral: Jiang et al. 2024 (arXiv 2401.04088); official code mistralai/mistral-inference moe.py. Mistral whose MLP is the best 2 of 8 experts.
 */
export const mixtral = defineArchitecture<MixtralConfig>({
  id: 'mixtral',
  names: ['mixtral', 'MixtralForCausalLM', 'MixtralModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const window = raw.optional('sliding_window');
    return {
      ...llamaConfig(raw, tensors, () => window, { theta: 1e6, eps: 1e-5 }),
      experts: raw.size('num_local_experts', 8),
      perToken: raw.size('num_experts_per_tok', 2),
    };
  },
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) => selfAttention(g, c.attention[i] as AttentionSpec, ln1),
      mlp: (ln2) => moe(g, c, ln2),
    }),
});
