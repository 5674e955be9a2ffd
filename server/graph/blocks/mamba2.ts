import type { Builder } from '../builder.js';
import type { ConfigReader } from '../config.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { convState, matrixState, type StateSpec } from '../state.js';
import { causalConv } from './conv.js';
import { repeatHeads } from './heads.js';
import { plainRmsNorm } from './norm.js';

/** Sizes of a Mamba-2 mixer: H heads of E channels, G groups that share B and C, N states a channel, a convolution over W inputs. */
export interface Mamba2Spec {
  readonly heads: number;
  readonly headDim: number;
  readonly groups: number;
  readonly N: number;
  readonly dConv: number;
  /** Δ is clamped to this range. */
  readonly deltaRange: readonly [number, number];
}

/** x, B and C go through the convolution together. */
const channels = ({ heads, headDim, groups, N }: Mamba2Spec): number => heads * headDim + 2 * groups * N;

export const mamba2State = (spec: Mamba2Spec): StateSpec[] => [
  convState(channels(spec), spec.dConv),
  matrixState('ssm', [spec.heads, spec.headDim, spec.N]),
];

/** What differs between models built of this mixer. */
export interface Mamba2Parts {
  /** Factors on the projection's parts z, x, B, C, Δ (µP of Falcon-H1). */
  readonly multipliers?: readonly [number, number, number, number, number];
  /** y [B,T,d] and the gate's input z [B,T,d] → [B,T,d], before the output projection. */
  readonly gated: (y: Value, z: Value) => Value;
}

/** Clamped softplus(Δ + bias): [B,T,H]. */
function stepSize(g: SegmentBuilder, { heads: H, deltaRange: [low, high] }: Mamba2Spec, dt: Value): Value {
  const delta = g.softplus(g.add(dt, g.weight('dt_bias', [H])));
  const raised = low > 0 ? g.max(delta, low) : delta; // softplus is never below 0
  return g.probe('mixer.delta', Number.isFinite(high) ? g.min(raised, high) : raised);
}

/** A single group is broadcast where it is used. */
const perHead = (g: SegmentBuilder, { heads, groups }: Mamba2Spec, x: Value): Value =>
  groups === 1 ? x : repeatHeads(g, x, heads);

/** u kᵀ over the last axes. */
const outer = (b: Builder, u: Value, k: Value): Value => b.mul(b.unsqueeze(u, -1), b.unsqueeze(k, -2));

/** State space duality, eq. 4 with a scalar A a head: h_t = exp(Δ_t A) h_{t−1} + Δ_t x_t B_tᵀ, y_t = h_t C_t + D x_t; h is [H,E,N]. */
function recurrence(g: SegmentBuilder, spec: Mamba2Spec, xBC: Value, dt: Value): Value {
  const { heads: H, headDim: E, groups: G, N } = spec;
  const [x0, B0, C0] = g.split(xBC, -1, [H * E, G * N, G * N]) as [Value, Value, Value];
  const x = g.probe('mixer.x', g.reshape(x0, 0, 0, H, E)); // [B,T,H,E]
  const B = g.probe('mixer.B', g.reshape(B0, 0, 0, G, N)); // [B,T,G,N]
  const C = g.probe('mixer.C', g.reshape(C0, 0, 0, G, N)); // [B,T,G,N]
  const delta = stepSize(g, spec, dt); // [B,T,H]
  const decay = g.probe('mixer.decay', g.exp(g.mul(delta, g.neg(g.exp(g.weight('A_log', [H])))))); // [B,T,H]
  const dx = g.mul(g.unsqueeze(delta, -1), x); // [B,T,H,E]
  const [keys, queries] = [perHead(g, spec, B), perHead(g, spec, C)]; // [B,T,H,N]
  g.observe('mixer.write', () => outer(g, dx, keys)); // [B,T,H,E,N]
  const every = g.wants('state.ssm');
  const sequences = [decay, dx, keys, queries];
  const { last, outputs } = g.scan(g.statePast(matrixState('ssm', [H, E, N])), sequences, (b, h, inputs) => {
    const [a, u, k, c] = inputs as [Value, Value, Value, Value]; // [B,H], [B,H,E], [B,H,N] or [B,1,N] twice
    const kept = b.mul(h, b.unsqueeze(b.unsqueeze(a, -1), -1));
    const next = b.add(kept, outer(b, u, k)); // [B,H,E,N]
    const y = b.squeeze(b.matmul(next, b.unsqueeze(c, -1)), -1); // [B,H,E]
    return { state: next, outputs: every ? [y, next] : [y] };
  });
  g.stateNew('ssm', last);
  g.stateEvery('ssm', () => outputs[1] as Value); // [B,T,H,E,N]
  const skip = g.probe('mixer.skip', g.mul(x, g.weight('D', [H, 1]))); // [B,T,H,E]
  return g.reshape(g.probe('mixer.y', g.add(outputs[0] as Value, skip)), 0, 0, H * E); // [B,T,d]
}

/** Dao & Gu 2024, Fig. 6, in its sequential form: x [B,T,D] → [B,T,D], weights below the prefix in use. */
export function mamba2Mixer(g: SegmentBuilder, spec: Mamba2Spec, x: Value, { multipliers, gated }: Mamba2Parts): Value {
  const { heads: H, headDim: E, groups: G, N, dConv } = spec;
  const d = H * E;
  const projected = g.linear(x, 'in_proj', d + channels(spec) + H);
  const scaled = multipliers ? g.mul(projected, factors(g, [d, d, G * N, G * N, H], multipliers)) : projected;
  const [z, xBC, dt] = g.split(scaled, -1, [d, channels(spec), H]) as [Value, Value, Value];
  const conv = g.probe('mixer.conv', g.silu(causalConv(g, xBC, convState(channels(spec), dConv)))); // [B,T,d+2GN]
  const y = gated(recurrence(g, spec, conv, dt), z);
  return g.probe('mixer.out', g.linear(y, 'out_proj', x.shape.at(-1) as number)); // [B,T,D]
}

/** One factor a stretch of channels. */
function factors(g: SegmentBuilder, sizes: readonly number[], values: readonly number[]): Value {
  const all = sizes.flatMap((size, i) => new Array<number>(size).fill(values[i] as number));
  return g.constant(Float32Array.from(all), [all.length]);
}

/** RMS norm within each of `groups` stretches of channels, weight `norm`; the gate silu(z) comes before it, or behind. */
export function gatedNorm(
  g: SegmentBuilder,
  y: Value,
  z: Value,
  { groups, eps, normFirst = false }: { readonly groups: number; readonly eps: number; readonly normFirst?: boolean },
): Value {
  const d = y.shape.at(-1) as number;
  const gate = g.probe('mixer.gate', g.silu(z)); // [B,T,d]
  const grouped = g.reshape(normFirst ? y : g.mul(y, gate), 0, 0, groups, d / groups);
  const normed = g.mul(g.reshape(plainRmsNorm(g, grouped, eps), 0, 0, d), g.weight('norm.weight', [d]));
  return normFirst ? g.mul(normed, gate) : normed;
}

/** y ⊙ silu(z). */
export const plainGate = (g: SegmentBuilder, y: Value, z: Value): Value => g.mul(y, g.probe('mixer.gate', g.silu(z)));

/** `time_step_limit`: [low, high]; no limit above is spelled in several ways that JSON has no number for. */
export function deltaRange(raw: ConfigReader): readonly [number, number] {
  const limit = raw.value('time_step_limit');
  const [low, high]: readonly unknown[] = Array.isArray(limit) ? limit : [];
  const number = (value: unknown, otherwise: number) => (typeof value === 'number' ? value : otherwise);
  return [number(low, 0), number(high, Number.POSITIVE_INFINITY)];
}
