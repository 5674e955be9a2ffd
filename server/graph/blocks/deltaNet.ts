import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { convState, matrixState, type StateSpec } from '../state.js';
import { causalConv } from './conv.js';
import { repeatHeads } from './heads.js';
import { rmsNorm } from './norm.js';

/** Sizes of a gated delta net: K heads of E channels ask and store, H heads of V channels are stored; a convolution over W inputs. */
export interface DeltaSpec {
  readonly keyHeads: number;
  readonly keyDim: number;
  readonly heads: number;
  readonly headDim: number;
  readonly dConv: number;
  readonly eps: number;
}

const channels = ({ keyHeads, keyDim, heads, headDim }: DeltaSpec): number => 2 * keyHeads * keyDim + heads * headDim;

export const deltaState = (spec: DeltaSpec): StateSpec[] => [
  convState(channels(spec), spec.dConv),
  matrixState('ssm', [spec.heads, spec.keyDim, spec.headDim]),
];

/** x / √(Σ x² + 10⁻⁶) over the last axis. */
function unit(g: SegmentBuilder, x: Value): Value {
  const square = g.add(g.reduceSum(g.mul(x, x), -1), 1e-6);
  return g.div(x, g.op('Sqrt', [square], square.shape));
}

interface Recurrence {
  /** [B,T,H,E], of length 1 but for the scale. */
  readonly q: Value;
  readonly k: Value;
  /** [B,T,H,V]. */
  readonly v: Value;
  /** [B,T,H]. */
  readonly decay: Value;
  readonly beta: Value;
}

/** Eq. 10: S_t = α_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t v_tᵀ, y_t = S_tᵀ q_t; S is [E,V]. */
function deltaRule(g: SegmentBuilder, { heads: H, keyDim: E, headDim: V }: DeltaSpec, x: Recurrence): Value {
  const every = g.wants('state.ssm');
  const past = g.statePast(matrixState('ssm', [H, E, V]));
  const { last, outputs } = g.scan(past, [x.q, x.k, x.v, x.decay, x.beta], (b, S, inputs) => {
    const [q, k, v, decay, beta] = inputs as [Value, Value, Value, Value, Value];
    const row = (u: Value) => b.unsqueeze(u, -2);
    const kept = b.mul(S, row(b.unsqueeze(decay, -1))); // [B,H,E,V]
    const stored = b.matmul(row(k), kept); // [B,H,1,V]: what is found under k now
    const change = b.mul(b.sub(row(v), stored), row(b.unsqueeze(beta, -1))); // [B,H,1,V]
    const next = b.add(kept, b.mul(b.unsqueeze(k, -1), change)); // [B,H,E,V]
    const y = b.squeeze(b.matmul(row(q), next), -2); // [B,H,V]
    return { state: next, outputs: every ? [y, next] : [y] };
  });
  g.stateNew('ssm', last);
  g.stateEvery('ssm', () => outputs[1] as Value); // [B,T,H,E,V]
  return g.probe('mixer.y', outputs[0] as Value); // [B,T,H,V]
}

/** Projected inputs of a delta net, before the convolution. */
export interface DeltaInputs {
  /** q, k and v side by side, [B,T,2KE + HV]. */
  readonly qkv: Value;
  /** Gate of the output, [B,T,H,V]. */
  readonly z: Value;
  /** Inputs of the rate β and of the decay, [B,T,H]. */
  readonly b: Value;
  readonly a: Value;
}

/** Gated DeltaNet (Yang et al. 2024, Fig. 1): convolution, delta rule, norm, gate: [B,T,D], weights below the prefix in use. */
export function deltaNet(g: SegmentBuilder, spec: DeltaSpec, D: number, { qkv, z, a, b }: DeltaInputs): Value {
  const { keyHeads: K, keyDim: E, heads: H, headDim: V } = spec;
  const conv = g.probe('mixer.conv', g.silu(causalConv(g, qkv, convState(channels(spec), spec.dConv))));
  const [q0, k0, v0] = g.split(conv, -1, [K * E, K * E, H * V]) as [Value, Value, Value];
  const keys = (x: Value) => repeatHeads(g, unit(g, g.reshape(x, 0, 0, K, E)), H); // [B,T,H,E]
  const rate = g.mul(g.softplus(g.add(a, g.weight('dt_bias', [H]))), g.neg(g.exp(g.weight('A_log', [H]))));
  const y = deltaRule(g, spec, {
    q: g.probe('mixer.q', g.mul(keys(q0), E ** -0.5)),
    k: g.probe('mixer.k', keys(k0)),
    v: g.probe('mixer.v', g.reshape(v0, 0, 0, H, V)),
    decay: g.probe('mixer.decay', g.exp(rate)),
    beta: g.probe('mixer.beta', g.sigmoid(b)),
  });
  const gated = g.mul(rmsNorm(g, y, 'norm', spec.eps), g.probe('mixer.gate', g.silu(z))); // [B,T,H,V]
  return g.probe('mixer.out', g.linear(g.reshape(gated, 0, 0, H * V), 'out_proj', D)); // [B,T,D]
}
