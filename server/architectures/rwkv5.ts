import { defineArchitecture } from '../graph/architecture.js';
import { groupNorm } from '../graph/blocks/rwkv.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { matrixState, shiftState } from '../graph/state.js';
import { projected, type RwkvConfig, rwkvConfig, rwkvParts, shapeIn } from './rwkv4.js';

/** RWKV-5 and 6: the time mix has heads. */
export interface RwkvHeadsConfig extends RwkvConfig {
  readonly H: number;
  readonly E: number;
}

export function rwkvHeadsConfig(raw: ConfigReader, tensors: TensorTable): RwkvHeadsConfig {
  const config = rwkvConfig(raw, tensors);
  const bonus = shapeIn(tensors, 0, 'att', 'time_faaaa');
  const decay = shapeIn(tensors, 0, 'att', 'time_decay');
  const H = raw.size('num_wkv_heads', bonus?.[0] ?? decay?.[0]);
  return { ...config, H, E: raw.divides('the number of heads', H, config.A) };
}

/** y_t = S_{t−1} r_t + (r_t · (u ⊙ k_t)) v_t, S_t = S_{t−1} diag(w_t) + v_t k_tᵀ; S is [E_value, E_key], all inputs [B,T,H,E]. */
export function decayingMemory(
  g: SegmentBuilder,
  c: RwkvHeadsConfig,
  { r, w, k, v }: Readonly<Record<'r' | 'w' | 'k' | 'v', Value>>,
): Value {
  const { H, E } = c;
  // the first spelling holds u itself, the older one its logarithm
  const u = g.has('time_faaaa') ? perHeadOrChannel(g, c, 'time_faaaa') : g.exp(perHeadOrChannel(g, c, 'time_first'));
  const bonus = g.probe('time_mix.bonus', g.mul(g.reduceSum(g.mul(g.mul(r, k), u), -1), v)); // [B,T,H,E]
  const every = g.wants('state.wkv');
  const { last, outputs } = g.scan(g.statePast(matrixState('wkv', [H, E, E])), [r, w, k, v], (b, S, inputs) => {
    const [rt, wt, kt, vt] = inputs as [Value, Value, Value, Value]; // [B,H,E]
    const row = (x: Value) => b.unsqueeze(x, -2);
    const read = b.squeeze(b.matmul(S, b.unsqueeze(rt, -1)), -1); // [B,H,E]
    const next = b.add(b.mul(S, row(wt)), b.mul(b.unsqueeze(vt, -1), row(kt))); // [B,H,E,E]
    return { state: next, outputs: every ? [read, next] : [read] };
  });
  g.stateNew('wkv', last);
  g.stateEvery('wkv', () => outputs[1] as Value); // [B,T,H,E,E]
  const y = g.probe('time_mix.y', g.add(outputs[0] as Value, bonus)); // [B,T,H,E]
  return groupNorm(g, y, 'ln_x', 64e-5); // [B,T,A]
}

/** The first RWKV-5 had one value a head, all later ones one a channel. */
const perHeadOrChannel = (g: SegmentBuilder, { H, E }: RwkvHeadsConfig, name: string): Value =>
  g.weight(name, g.stored(name)?.reduce((n, d) => n * d, 1) === H ? [H, 1] : [H, E]);

export const rwkvHeadsParts = {
  ...rwkvParts,
  config: rwkvHeadsConfig,
  layer: (c: RwkvHeadsConfig) => ({ mixer: 'rwkv5', attention: null, heads: c.H, headDim: c.E }) as const,
  state: (c: RwkvHeadsConfig) => [
    matrixState('wkv', [c.H, c.E, c.E]),
    shiftState('att_shift', c.dModel),
    shiftState('ffn_shift', c.dModel),
  ],
};

/**
 * RWKV-5 "Eagle": Peng et al. 2024 (arXiv 2404.05892), eq. 3–9; official code BlinkDL/RWKV-LM RWKV-v5. Each head keeps a matrix; its keys decay
 * at learned but constant rates.
 */
export const rwkv5 = defineArchitecture<RwkvHeadsConfig>({
  id: 'rwkv5',
  names: ['rwkv5', 'Rwkv5ForCausalLM', 'Rwkv5Model'],
  ...rwkvHeadsParts,
  block: (g, c, x, i) =>
    rwkvParts.block(g, c, x, i, (ln1) => {
      const of = projected(g, c, ln1);
      const heads = (name: 'r' | 'k' | 'v') => g.probe(`time_mix.${name}`, g.reshape(of(name), 0, 0, c.H, c.E)); // [B,T,H,E]
      const [r, k, v] = [heads('r'), heads('k'), heads('v')];
      const rate = g.exp(g.neg(g.exp(perHeadOrChannel(g, c, 'time_decay'))));
      const w = g.probe('time_mix.w', g.op('Expand', [rate, g.op('Shape', [k], [4], {}, 'i64')], k.shape));
      const y = decayingMemory(g, c, { r, w, k, v });
      return g.has('gate.weight') ? g.mul(y, g.probe('time_mix.g', g.silu(of('g')))) : y; // the first RWKV-5 had no gate
    }),
});
