import { defineArchitecture } from '../graph/architecture.js';
import { choose, inBestGroups, normalised } from '../graph/blocks/moe.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { type DeepseekConfig, deepseekConfig, deepseekParts } from './deepseekV2.js';

interface DeepseekV3Config extends DeepseekConfig {
  readonly normalise: boolean;
  /** Pairs are stored side by side and turn as halves. */
  readonly interleaved: boolean;
}

/** (x0, x1, x2, x3 …) → (x0, x2 … x1, x3 …) over the last axis. */
function unzip(g: SegmentBuilder, x: Value): Value {
  const size = x.shape.at(-1) as number;
  const kept = x.shape.slice(0, -1).map(() => 0);
  const rank = x.shape.length;
  const pairs = g.reshape(x, ...kept, size / 2, 2);
  const swapped = g.transpose(pairs, ...kept.map((_, axis) => axis), rank, rank - 1);
  return g.reshape(swapped, ...kept, size);
}

/**
 * DeepSeek-V3: DeepSeek-AI 2024 (arXiv 2412.19437); official code deepseek-ai/DeepSeek-V3 inference/model.py. V2 with sigmoid scores, and a
 * bias that steers the choice of experts but not their weights, so that no loss has to balance them.
 */
export const deepseekV3 = defineArchitecture<DeepseekV3Config>({
  id: 'deepseek_v3',
  names: ['deepseek_v3', 'DeepseekV3ForCausalLM', 'DeepseekV3Model'],
  ...deepseekParts,
  config: (raw) => ({
    ...deepseekConfig(raw, 'half', 3),
    groups: { count: raw.size('n_group', 8), kept: raw.size('topk_group', 4), best: 2 },
    normalise: raw.flag('norm_topk_prob', true),
    interleaved: raw.flag('rope_interleave', true),
  }),
  block: (g, c, x, i) => {
    const route = (logits: Value) => {
      const scores = g.sigmoid(logits);
      const rank = g.add(scores, g.weight('gate.e_score_correction_bias', [c.experts]));
      const { experts, weights } = choose(g, c.perToken, scores, c.groups ? inBestGroups(g, rank, c.groups) : rank);
      return { experts, weights: c.normalise ? normalised(g, weights, 1e-20) : weights };
    };
    return deepseekParts.block(g, c, x, i, route, c.interleaved ? unzip : undefined);
  },
});
