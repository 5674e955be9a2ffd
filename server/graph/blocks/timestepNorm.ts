import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { matrixState, type StateSpec } from '../state.js';

const EPS = 1e-5;

export const timestepNormState = (groups: number): StateSpec[] => [
  matrixState('tsn_mean', [groups]),
  matrixState('tsn_var', [groups]),
];

/**
 * Timestep normalisation: Ma et al. 2024 (arXiv 2404.08801), §3.2. Each group of features is normed by the mean and variance of all it held up
 * to and with this token. Running statistics, and not sums: they keep their precision however long the text. x [B,T,D], weight and bias `name`.
 */
export function timestepNorm(g: SegmentBuilder, x: Value, name: string, groups: number): Value {
  const D = x.shape.at(-1) as number;
  const grouped = g.reshape(x, 0, 0, groups, D / groups); // [B,T,G,D/G]
  const own = g.reduceMean(grouped, -1);
  const apart = g.sub(grouped, own);
  const spread = g.squeeze(g.reduceMean(g.mul(apart, apart), -1), -1); // [B,T,G]
  const share = g.probe('norm.share', g.unsqueeze(g.div(g.constant(1), g.cast(g.add(g.positions(x), 1), 'f32')), 0)); // [1,T]
  const m = g.probe('norm.mean', g.squeeze(own, -1)); // [B,T,G]
  const past = timestepNormState(groups).map((state) => g.statePast(state));
  const { last, outputs } = g.scanStates(past, [m, spread, share], (b, states, xs) => {
    const [mean, variance] = states as [Value, Value];
    const [mt, vt, st] = xs as [Value, Value, Value];
    const left = b.sub(b.constant(1), st);
    const step = b.sub(mt, mean);
    const between = b.mul(b.mul(step, step), left);
    const write = b.mul(b.add(vt, between), st);
    const next = [b.add(mean, b.mul(step, st)), b.add(b.mul(variance, left), write)];
    return { states: next, outputs: [...next, write] };
  });
  const [mean, variance, write] = outputs as [Value, Value, Value]; // [B,T,G]
  g.observe('norm.write', () => write);
  for (const [i, state] of timestepNormState(groups).entries()) {
    const every = outputs[i] as Value;
    g.stateNew(state.name, last[i] as Value);
    g.stateEvery(state.name, () => g.op('Identity', [every], every.shape));
  }
  const total = g.add(g.unsqueeze(variance, -1), EPS);
  const normed = g.div(g.sub(grouped, g.unsqueeze(mean, -1)), g.op('Sqrt', [total], total.shape));
  return g.add(g.mul(g.reshape(normed, 0, 0, D), g.weight(`${name}.weight`, [D])), g.weight(`${name}.bias`, [D])); // [B,T,D]
}
