import { defineArchitecture } from '../graph/architecture.js';
import { tokenShift } from '../graph/blocks/rwkv.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { blendNames, shapeIn } from './rwkv4.js';
import { decayingMemory, type RwkvHeadsConfig, rwkvHeadsConfig, rwkvHeadsParts } from './rwkv5.js';

interface Rwkv6Config extends RwkvHeadsConfig {
  /** Ranks of the low-rank maps that choose the blends, and the decay. */
  readonly blendRank: number;
  readonly decayRank: number;
}

/** Low-rank factors are stored [in, out]. */
const rankOf = (tensors: TensorTable, name: string, fallback: number) => shapeIn(tensors, 0, 'att', name)?.[1] ?? fallback;

const BLENDS = ['w', 'k', 'v', 'r', 'g'] as const;

/** Eq. 14: x + Δ ⊙ (μ + tanh((x + Δ ⊙ μ_x) A) B), a blend with the token before that the tokens choose, for each of w, k, v, r, g. */
function blends(g: SegmentBuilder, c: Rwkv6Config, x: Value): Readonly<Record<(typeof BLENDS)[number], Value>> {
  const { dModel: D, blendRank: R } = c;
  const delta = g.sub(tokenShift(g, x, 'att_shift'), x);
  const mu = (name: (typeof BLENDS)[number] | 'x') => g.weight(blendNames('time_maa', name), [D]);
  const low = g.tanh(g.matmul(g.add(x, g.mul(delta, mu('x'))), g.weight('time_maa_w1', [D, 5 * R]))); // [B,T,5R]
  const parts = g.split(low, -1, new Array<number>(5).fill(R));
  const blend = (name: (typeof BLENDS)[number], i: number) => {
    const chosen = g.matmul(parts[i] as Value, g.weightPart('time_maa_w2', i, [5, R, D])); // [B,T,D]
    return [name, g.add(x, g.mul(delta, g.add(mu(name), chosen)))] as const;
  };
  return Object.fromEntries(BLENDS.map(blend)) as Record<(typeof BLENDS)[number], Value>;
}

/** e^{−e^{λ + tanh(x A) B}}: [B,T,A]. */
function decayOf(g: SegmentBuilder, c: Rwkv6Config, x: Value): Value {
  const low = g.tanh(g.matmul(x, g.weight('time_decay_w1', [c.dModel, c.decayRank])));
  const z = g.add(g.matmul(low, g.weight('time_decay_w2', [c.decayRank, c.A])), g.weight('time_decay', [c.A]));
  return g.exp(g.neg(g.exp(z)));
}

/**
 * RWKV-6 "Finch": Peng et al. 2024 (arXiv 2404.05892), eq. 14–24; official code BlinkDL/RWKV-LM RWKV-v6. RWKV-5 whose decay, and whose blend
 * with the token before, depend on the tokens. λ decay at rest, μ blend at rest, Δ difference to the token before.
 */
export const rwkv6 = defineArchitecture<Rwkv6Config>({
  id: 'rwkv6',
  names: ['rwkv6', 'Rwkv6ForCausalLM', 'Rwkv6Model'],
  ...rwkvHeadsParts,
  config: (raw, tensors) => ({
    ...rwkvHeadsConfig(raw, tensors),
    blendRank: rankOf(tensors, 'time_maa_w1', 160) / 5,
    decayRank: rankOf(tensors, 'time_decay_w1', 64),
  }),
  block: (g, c, x, i) =>
    rwkvHeadsParts.block(
      g,
      c,
      x,
      i,
      (ln1) => {
        const input = blends(g, c, ln1);
        const heads = (y: Value) => g.reshape(y, 0, 0, c.H, c.E); // [B,T,H,E]
        const r = g.probe('time_mix.r', heads(g.linear(input.r, 'receptance', c.A)));
        const k = g.probe('time_mix.k', heads(g.linear(input.k, 'key', c.A)));
        const v = g.probe('time_mix.v', heads(g.linear(input.v, 'value', c.A)));
        const w = g.probe('time_mix.w', heads(decayOf(g, c, input.w)));
        const gate = g.probe('time_mix.g', g.silu(g.linear(input.g, 'gate', c.A)));
        return g.mul(decayingMemory(g, c, { r, w, k, v }), gate);
      },
      (b, ln2) => {
        const delta = b.sub(tokenShift(b, ln2, 'ffn_shift'), ln2);
        return (name) => b.add(ln2, b.mul(delta, b.weight(blendNames('time_maa', name), [c.dModel])));
      },
    ),
});
