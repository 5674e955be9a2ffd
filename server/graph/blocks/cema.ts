import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { matrixState, type StateSpec } from '../state.js';

/** D features, each with N complex averages. */
export const cemaState = (D: number, N: number): StateSpec => matrixState('cema', [D, N, 2]);

/** A complex number as its parts, which broadcast alike. */
interface Complex {
  readonly re: Value;
  readonly im: Value;
}

const joined = (g: SegmentBuilder, { re, im }: Complex): Value => g.concat([g.unsqueeze(re, -1), g.unsqueeze(im, -1)], -1);

function parts(g: SegmentBuilder, x: Value): Complex {
  const [re, im] = g.split(x, -1, [1, 1]).map((part) => g.squeeze(part, -1)) as [Value, Value];
  return { re, im };
}

/** size · e^{iφ}. */
const polar = (g: SegmentBuilder, size: Value, angle: Value): Complex => ({
  re: g.mul(size, g.cos(angle)),
  im: g.mul(size, g.sin(angle)),
});

/**
 * Complex exponential moving average: Ma et al. 2024 (arXiv 2404.08801), eq. 4. Each of a feature's N averages turns by its own angle and shrinks:
 * h_t = α e^{iφ} β x_t + (1 − α δ) e^{iφ} h_{t−1}, y_t = Re Σ_j η_j h_t + ω x_t. x [B,T,D] → [B,T,D], weights below the prefix in use.
 */
export function cema(g: SegmentBuilder, x: Value, N: number): Value {
  const D = x.shape.at(-1) as number;
  const w = (name: string) => g.weight(name, [D, N]);
  const alpha = g.sigmoid(w('alpha'));
  const share = g.mul(g.unsqueeze(g.sigmoid(g.weight('theta', [D])), -1), (2 * Math.PI) / N); // [D,1]
  const turns = g.constant(
    Float32Array.from({ length: N }, (_, j) => j + 1),
    [N],
  );
  const angle = g.mul(share, turns); // [D,N]
  const kept = polar(g, g.sub(g.constant(1), g.mul(alpha, g.sigmoid(w('delta')))), angle);
  const gain = polar(g, g.mul(alpha, w('beta')), angle);
  const eta = { re: w('eta_re'), im: w('eta_im') };
  for (const [name, value] of Object.entries({ kept, gain, eta })) g.observe(`mixer.${name}`, () => joined(g, value)); // [D,N,2]
  const state = cemaState(D, N);
  const past = parts(g, g.statePast(state));
  const every = g.wants('state.cema');
  const { last, outputs } = g.scanStates([past.re, past.im], [x], (b, states, [xt]) => {
    const [re, im] = states as [Value, Value];
    const u = b.unsqueeze(xt as Value, -1); // [B,D,1]
    const next = [
      b.add(b.sub(b.mul(re, kept.re), b.mul(im, kept.im)), b.mul(u, gain.re)),
      b.add(b.add(b.mul(re, kept.im), b.mul(im, kept.re)), b.mul(u, gain.im)),
    ] as const; // [B,D,N]
    const read = b.sub(b.mul(next[0], eta.re), b.mul(next[1], eta.im));
    const y = b.squeeze(b.reduceSum(read, -1), -1); // [B,D]
    return { states: next, outputs: every ? [y, ...next] : [y] };
  });
  g.stateNew('cema', joined(g, { re: last[0] as Value, im: last[1] as Value }));
  g.stateEvery('cema', () => joined(g, { re: outputs[1] as Value, im: outputs[2] as Value })); // [B,T,D,N,2]
  const skip = g.probe('mixer.skip', g.mul(x, g.weight('omega', [D])));
  return g.probe('mixer.y', g.add(outputs[0] as Value, skip)); // [B,T,D]
}
