import type { Builder } from '../builder.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { learnedState, matrixState, type StateSpec } from '../state.js';
import { splitHeads } from './attention.js';
import { layerNorm } from './norm.js';
import { type Rope, rotate } from './rope.js';

/** Sizes of a layer that learns while it reads: H inner models from d to d, which step once a token and move on every b tokens. */
export interface TttSpec {
  readonly heads: number;
  readonly headDim: number;
  /** b: gradients of this many tokens are taken at the same parameters. */
  readonly batch: number;
  /** Largest learning rate, before it is divided by d. */
  readonly baseRate: number;
  /** Positions count within the mini-batch. */
  readonly rope: Rope;
}

/** One matrix or bias of the inner models: its tensor, the name of its state, and that of the sum of its gradients. */
export interface FastTensor {
  readonly tensor: string;
  readonly state: string;
  readonly gradient: string;
  /** [H, rows, columns]. */
  readonly shape: readonly number[];
}

/** Values on the way that pictures need, by the name of their probe: [B,H,1,·]. */
type Inner = Readonly<Record<string, Value>>;

interface Forward {
  readonly y: Value;
  readonly inner: Inner;
  /** From the gradient by y those by all tensors, in their order. */
  readonly gradients: (dy: Value) => { readonly tensors: readonly Value[]; readonly inner: Inner };
}

/** f(x; W) of all heads for one token, x [B,H,1,d] and W in the order of `tensors`. */
export interface InnerModel {
  tensors(spec: TttSpec): readonly FastTensor[];
  forward(b: Builder, W: readonly Value[], x: Value): Forward;
  /** Probes of what is inside when a key is learned, and when a query is answered. */
  readonly ofKey: readonly string[];
  readonly ofQuery: readonly string[];
}

const NORM_EPS = 1e-6;

export const tttState = (spec: TttSpec, inner: InnerModel): StateSpec[] =>
  inner.tensors(spec).flatMap(({ state, gradient, shape }) => [learnedState(state, shape), matrixState(gradient, shape)]);

/** [B,H,d] ↔ [B,H,1,d]. */
const row = (b: Builder, x: Value): Value => b.unsqueeze(x, -2);
const unrow = (b: Builder, x: Value): Value => b.squeeze(x, -2);

/** ½‖LN(f) − target‖² [B,H,1,1] and its gradient by f [B,H,1,d]. */
function innerLoss(b: Builder, f: Value, target: Value, scale: Value, shift: Value): { loss: Value; gradient: Value } {
  const centred = b.sub(f, b.reduceMean(f, -1));
  const variance = b.add(b.reduceMean(b.mul(centred, centred), -1), NORM_EPS);
  const deviation = b.op('Sqrt', [variance], variance.shape);
  const normed = b.div(centred, deviation);
  const error = b.sub(b.add(b.mul(normed, scale), shift), target);
  const back = b.mul(error, scale);
  const along = b.mul(normed, b.reduceMean(b.mul(back, normed), -1));
  return {
    loss: b.mul(b.reduceSum(b.mul(error, error), -1), 0.5),
    gradient: b.div(b.sub(b.sub(back, b.reduceMean(back, -1)), along), deviation),
  };
}

/** How far each token goes along the summed gradients, and when they begin anew: [1,T] each. */
interface Pace {
  /** max(0, 1/(j+1) + learned_j) at the token's place j in its mini-batch. */
  readonly rate: Value;
  /** That of the place before, which is the last place of a mini-batch for its first token. */
  readonly before: Value;
  /** 0 at the first token of a mini-batch, 1 elsewhere. */
  readonly keep: Value;
}

function pace(g: SegmentBuilder, { batch }: TttSpec, like: Value): Pace {
  const table = g.add(
    g.constant(
      Float32Array.from({ length: batch }, (_, j) => 1 / (j + 1)),
      [batch],
    ),
    g.weight('learnable_token_idx', [batch]),
  );
  const at = (back: number) => g.unsqueeze(g.gather(g.relu(table), g.mod(g.sub(g.positions(like), back), batch)), 0);
  const begins = g.equal(g.mod(g.positions(like), batch), g.constant(new BigInt64Array(1), []));
  return {
    rate: g.probe('mixer.rate', at(0)),
    before: g.probe('mixer.rate_before', at(1)),
    keep: g.probe('mixer.keep', g.unsqueeze(g.sub(g.constant(1), g.cast(begins, 'f32')), 0)),
  };
}

interface Learning {
  /** [B,T,H,d]. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** [B,T,H]. */
  readonly eta: Value;
}

/**
 * The inner loop: W_t = W_s − rate_t Σ η_j G_j over the mini-batch so far, every G_j taken at W_s, where the mini-batch began. The scan goes over
 * tokens with W_s and the sum, so that a run may stop and go on anywhere; what is kept is W_t and the sum. Returns f(q_t; W_t) [B,T,H,d].
 */
function learn(g: SegmentBuilder, spec: TttSpec, inner: InnerModel, { q, k, v, eta }: Learning): Value {
  const { heads: H, headDim: d } = spec;
  const tensors = inner.tensors(spec);
  const n = tensors.length;
  const [scale, shift] = ['weight', 'bias'].map((part) => g.reshape(g.weight(`ttt_norm_${part}`, [H, d]), H, 1, d)) as [
    Value,
    Value,
  ];
  const { rate, before, keep } = pace(g, spec, q);
  const sums = tensors.map(({ gradient, shape }) => g.statePast(matrixState(gradient, shape)));
  const starts = tensors.map(({ tensor, state, shape }, i) => {
    const now = g.learnedPast(learnedState(state, shape), g.weight(tensor, shape));
    return g.add(now, g.mul(sums[i] as Value, g.slice(before, 1, 0, 1)));
  });
  const shown = ['loss', 'grad', ...inner.ofKey, ...inner.ofQuery].filter((name) => g.wants(`mixer.${name}`));
  const every = tensors.flatMap(({ state, gradient }, i) => [
    ...(g.wants(`state.${state}`) ? [i] : []),
    ...(g.wants(`state.${gradient}`) ? [n + i] : []),
  ]);
  const sequences = [q, k, g.sub(v, k), eta, rate, before, keep];
  const { last, outputs } = g.scanStates([...starts, ...sums], sequences, (b, states, xs) => {
    const [qt, kt, target, etaT, rateT, beforeT, keepT] = xs as [Value, Value, Value, Value, Value, Value, Value];
    const closing = b.mul(b.sub(b.constant(1), keepT), beforeT);
    const W = states.slice(0, n).map((start, i) => b.sub(start, b.mul(states[n + i] as Value, closing))); // W_s
    const key = inner.forward(b, W, row(b, kt));
    const { loss, gradient } = innerLoss(b, key.y, row(b, target), scale, shift);
    const step = b.unsqueeze(b.unsqueeze(etaT, -1), -1);
    const by = key.gradients(gradient);
    const sum = by.tensors.map((G, i) => b.add(b.mul(states[n + i] as Value, keepT), b.mul(G, step)));
    const now = W.map((start, i) => b.sub(start, b.mul(sum[i] as Value, rateT))); // W_t
    const query = inner.forward(b, now, row(b, qt));
    const named: Record<string, Value> = {
      loss: b.squeeze(unrow(b, loss), -1),
      grad: unrow(b, gradient),
      ...Object.fromEntries(inner.ofKey.map((name) => [name, unrow(b, { ...key.inner, ...by.inner }[name] as Value)])),
      ...Object.fromEntries(inner.ofQuery.map((name) => [name, unrow(b, query.inner[name] as Value)])),
    };
    const outputs = [
      unrow(b, query.y),
      ...shown.map((name) => named[name] as Value),
      ...every.map((i) => [...now, ...sum][i] as Value),
    ];
    return { states: [...W, ...sum], outputs };
  });
  for (const name of ['loss', 'grad', ...inner.ofKey, ...inner.ofQuery])
    g.observe(`mixer.${name}`, () => outputs[1 + shown.indexOf(name)] as Value);
  const at = g.slice(rate, 1, -1, Number.MAX_SAFE_INTEGER, 1); // [1,1]
  for (const [i, { state, gradient }] of tensors.entries()) {
    const total = last[n + i] as Value;
    g.stateNew(state, g.sub(last[i] as Value, g.mul(total, at)));
    g.stateNew(gradient, total);
    const output = (which: number) => outputs[1 + shown.length + every.indexOf(which)] as Value;
    g.stateEvery(state, () => output(i));
    g.stateEvery(gradient, () => output(n + i));
  }
  return outputs[0] as Value;
}

/** The sequence layer: x [B,T,D] → [B,T,D], weights below the prefix in use. */
export function tttMixer(g: SegmentBuilder, spec: TttSpec, inner: InnerModel, x: Value): Value {
  const { heads: H, headDim: d, rope, baseRate } = spec;
  const D = H * d;
  const part = (name: string) => splitHeads(g, g.linear(x, `${name}_proj`, D), H); // [B,H,T,d]
  const byToken = (value: Value) => g.transpose(value, 0, 2, 1, 3); // [B,T,H,d]
  const q = g.probe('mixer.q', byToken(rotate(g, part('q'), rope)));
  const k = g.probe('mixer.k', byToken(rotate(g, part('k'), rope)));
  const v = g.probe('mixer.v', byToken(part('v')));
  const opened = g.sigmoid(g.add(g.matmul(x, g.weight('lr_weight', [H, D]), { transB: true }), g.weight('lr_bias', [H])));
  const eta = g.probe('mixer.eta', g.mul(opened, baseRate / d)); // [B,T,H]
  const y = g.probe('mixer.y', learn(g, spec, inner, { q, k, v, eta })); // [B,T,H,d]
  const z = g.add(q, headNorm(g, y, H, d));
  return g.probe('mixer.out', g.linear(layerNorm(g, g.reshape(z, 0, 0, D), 'post_norm', NORM_EPS), 'o_proj', D)); // [B,T,D]
}

/** LayerNorm within each head, with a weight and a bias of its own. */
function headNorm(g: SegmentBuilder, y: Value, H: number, d: number): Value {
  const ones = g.constant(new Float32Array(d).fill(1), [d]);
  const normed = g.op('LayerNormalization', [y, ones, null], y.shape, { axis: -1, epsilon: NORM_EPS });
  return g.add(g.mul(normed, g.weight('ttt_norm_weight', [H, d])), g.weight('ttt_norm_bias', [H, d]));
}
