import { defineArchitecture } from '../graph/architecture.js';
import type { AttentionSpec } from '../graph/blocks/attention.js';
import { choose, mixture } from '../graph/blocks/moe.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { type LlamaConfig, llamaConfig, llamaParts, preNormBlock, selfAttention } from './llama.js';

interface GptOssConfig extends LlamaConfig {
  readonly experts: number;
  readonly perToken: number;
  readonly alpha: number;
  readonly clamp: number;
}

/** (up + 1) · gate · σ(α gate) with both clamped. Differs: gate and up alternate, weights are [in, out]. */
function expert(g: SegmentBuilder, c: GptOssConfig, e: number, rows: Value): Value {
  const { experts: X, dFf: F, dModel: D } = c;
  const affine = (x: Value, name: string, from: number, to: number) =>
    g.add(g.matmul(x, g.weightPart(`experts.${name}`, e, [X, from, to])), g.weightPart(`experts.${name}_bias`, e, [X, to]));
  const pairs = g.reshape(affine(rows, 'gate_up_proj', D, 2 * F), -1, F, 2); // [n,F,2]
  const [gate0, up0] = g.split(pairs, -1, [1, 1]).map((half) => g.squeeze(half, -1)) as [Value, Value];
  const gate = g.min(gate0, c.clamp);
  const up = g.max(g.min(up0, c.clamp), -c.clamp);
  const swish = g.mul(gate, g.sigmoid(g.mul(gate, c.alpha)));
  return affine(g.mul(g.add(up, 1), swish), 'down_proj', F, D); // [n,D]
}

function moe(g: SegmentBuilder, c: GptOssConfig, x: Value): Value {
  return g.within('', 'mlp.', () => {
    const { weights, experts } = choose(g, c.perToken, g.probe('router.logits', g.linear(x, 'router', c.experts)));
    const choice = { experts, weights: g.softmax(weights) };
    return g.probe(
      'mlp.out',
      mixture(g, x, choice, c.experts, (e, rows) => expert(g, c, e, rows)),
    ); // [B,T,D]
  });
}

/**
 * gpt-oss: OpenAI 2025 (arXiv 2508.10925); official code openai/gpt-oss torch/model.py. Sliding and full layers in turn, a learned sink in
 * every head's softmax, biases everywhere, experts with a clamped SwiGLU.
 */
export const gptOss = defineArchitecture<GptOssConfig>({
  id: 'gpt_oss',
  names: ['gpt_oss', 'GptOssForCausalLM', 'GptOssModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const types = raw.perLayer('layer_types', raw.layers('num_hidden_layers'));
    const window = raw.number('sliding_window', 128);
    const slides = (i: number) => (types ? types[i] === 'sliding_attention' : i % 2 === 0);
    const core = llamaConfig(raw, tensors, (i) => (slides(i) ? window : null), { theta: 150_000, eps: 1e-5 });
    return {
      ...core,
      attention: core.attention.map((spec) => ({ ...spec, sinks: true })),
      experts: raw.size(['num_local_experts', 'num_experts'], 128),
      perToken: raw.size(['num_experts_per_tok', 'experts_per_token'], 4),
      alpha: raw.number('swiglu_alpha', 1.702),
      clamp: raw.number('swiglu_limit', 7),
    };
  },
  block: (g, c, x, i) =>
    preNormBlock(g, c, x, {
      attention: (ln1) => selfAttention(g, c.attention[i] as AttentionSpec, ln1),
      mlp: (ln2) => moe(g, c, ln2),
    }),
});
