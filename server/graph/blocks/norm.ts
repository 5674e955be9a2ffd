import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';

/**
 * x / √(mean(x²) + ε) · w, or · (1 + w) where the checkpoint stores the offset (Gemma); + b where it has one (xLSTM with use_bias). Zhang &
 * Sennrich 2019.
 */
export function rmsNorm(g: SegmentBuilder, x: Value, name: string, eps: number, offset = 0): Value {
  const size = x.shape.at(-1) as number;
  const weight = g.weight(`${name}.weight`, [size]);
  const normed = g.op('RMSNorm', [x, offset === 0 ? weight : g.add(weight, offset)], x.shape, { eps });
  return g.has(`${name}.bias`) ? g.add(normed, g.weight(`${name}.bias`, [size])) : normed;
}

/** x / √(mean(x²) + ε) without a weight. */
export function plainRmsNorm(g: SegmentBuilder, x: Value, eps: number): Value {
  const size = x.shape.at(-1) as number;
  return g.op('RMSNorm', [x, g.constant(new Float32Array(size).fill(1), [size])], x.shape, { eps });
}

/** (x − mean) / √(var + ε) without a weight. */
export function plainLayerNorm(g: SegmentBuilder, x: Value, eps: number): Value {
  const size = x.shape.at(-1) as number;
  const ones = g.constant(new Float32Array(size).fill(1), [size]);
  return g.op('LayerNormalization', [x, ones, null], x.shape, { axis: -1, epsilon: eps });
}

/** (x − mean) / √(var + ε) · w + b over the last axis, or · (1 + w) where the checkpoint stores the offset (Nemotron). Ba et al. 2016. */
export function layerNorm(g: SegmentBuilder, x: Value, name: string, eps: number, offset = 0): Value {
  const size = x.shape.at(-1) as number;
  const bias = g.has(`${name}.bias`) ? g.weight(`${name}.bias`, [size]) : null;
  const weight = g.weight(`${name}.weight`, [size]);
  const gain = offset === 0 ? weight : g.add(weight, offset);
  return g.op('LayerNormalization', [x, gain, bias], x.shape, { axis: -1, epsilon: eps });
}
