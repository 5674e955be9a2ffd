import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { convState, matrixState, type StateSpec } from '../state.js';
import { causalConv } from './conv.js';

/** Sizes of a Mamba mixer: d channels, a convolution over W inputs, N states a channel, R the rank of Δ. */
export interface MambaSpec {
  readonly dInner: number;
  readonly dConv: number;
  readonly N: number;
  readonly R: number;
}

export const mambaState = ({ dInner, dConv, N }: MambaSpec): StateSpec[] => [
  convState(dInner, dConv),
  matrixState('ssm', [dInner, N]),
];

/** What Δ's low-rank input, B and C go through before they are used; Mamba itself leaves them as they are. */
export type ParameterNorm = (x: Value, name: 'dt' | 'b' | 'c') => Value;

/** Alg. 2: h_t = exp(Δ_t A) h_{t−1} + Δ_t B_t x_t, y_t = C_t h_t + D x_t. */
function selectiveScan(g: SegmentBuilder, { dInner, N, R }: MambaSpec, u: Value, norm: ParameterNorm): Value {
  const parameters = g.linear(u, 'x_proj', R + 2 * N);
  const [dt, B0, C0] = g.split(parameters, -1, [R, N, N]) as [Value, Value, Value];
  const delta = g.probe('mixer.delta', g.softplus(g.linear(norm(dt, 'dt'), 'dt_proj', dInner))); // [B,T,d]
  const B = g.probe('mixer.B', norm(B0, 'b')); // [B,T,N]
  const C = g.probe('mixer.C', norm(C0, 'c')); // [B,T,N]
  const A = g.neg(g.exp(g.weight('A_log', [dInner, N]))); // [d,N]
  const dx = g.mul(delta, u); // [B,T,d]
  const state = matrixState('ssm', [dInner, N]);
  if (g.single) {
    const next = g.add(g.mul(g.exp(g.mul(g.turned(delta), A)), g.statePast(state)), g.mul(g.turned(dx), B)); // [B,d,N]
    g.stateNew('ssm', next);
    const y = { ...g.turned(g.matmul(next, g.turned(C))), shape: u.shape };
    return g.probe('mixer.y', g.add(y, g.mul(u, g.weight('D', [dInner]))));
  }
  const decays = () => g.exp(g.mul(g.unsqueeze(delta, -1), A)); // [B,T,d,N]
  const writes = () => g.mul(g.unsqueeze(dx, -1), g.unsqueeze(B, -2)); // [B,T,d,N]
  const spelledOut = g.touched('mixer.decay') || g.touched('mixer.write');
  // in the loop channels come last, [N,d]: what is the same for all N states, or for all channels, then meets long rows
  const row = (x: Value) => g.unsqueeze(x, 2); // [B,T,1,·]
  const update = spelledOut
    ? [g.turned(g.probe('mixer.decay', decays())), g.turned(g.probe('mixer.write', writes()))]
    : [row(delta), row(dx), g.unsqueeze(B, 3)];
  if (!spelledOut) {
    g.observe('mixer.decay', decays);
    g.observe('mixer.write', writes);
  }
  const every = g.wants('state.ssm');
  const rates = g.turned(A); // [N,d]
  const { last, outputs } = g.scan(g.turned(g.statePast(state)), [row(C), ...update], (b, h, [Ct, ...rest]) => {
    const [decay, write] = spelledOut
      ? (rest as [Value, Value])
      : [b.exp(b.mul(rest[0] as Value, rates)), b.mul(rest[2] as Value, rest[1] as Value)];
    const next = b.add(b.mul(decay, h), write); // [B,N,d]
    const y = b.matmul(Ct as Value, next); // [B,1,d]
    return { state: next, outputs: every ? [y, next] : [y] };
  });
  g.stateNew('ssm', g.turned(last));
  g.stateEvery('ssm', () => g.turned(outputs[1] as Value)); // [B,T,d,N]
  const skip = g.probe('mixer.skip', g.mul(u, g.weight('D', [dInner]))); // [B,T,d]
  return g.probe('mixer.y', g.add(g.squeeze(outputs[0] as Value, 2), skip)); // [B,T,d]
}

/** Projection, causal convolution, selective scan and gate (Gu & Dao 2023, Fig. 3): x [B,T,D] → [B,T,D], weights below the prefix in use. */
export function mambaMixer(g: SegmentBuilder, spec: MambaSpec, x: Value, norm: ParameterNorm = (v) => v): Value {
  const { dInner, dConv } = spec;
  const [xs, z] = g.split(g.linear(x, 'in_proj', 2 * dInner), -1, [dInner, dInner]) as [Value, Value]; // [B,T,d]
  const u = g.probe('mixer.conv', g.silu(causalConv(g, xs, convState(dInner, dConv)))); // [B,T,d]
  const gate = g.probe('mixer.gate', g.silu(z));
  const y = selectiveScan(g, spec, u, norm);
  return g.probe('mixer.out', g.linear(g.mul(y, gate), 'out_proj', x.shape.at(-1) as number)); // [B,T,D]
}
