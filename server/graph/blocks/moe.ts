import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import type { Activation, MlpNames } from './mlp.js';

/**
 * Mixture of experts (Shazeer et al. 2017). Letters: X experts, k of them a token, n tokens of one expert. The graph is static and still no
 * expert sees a token that is not its own: its tokens are gathered, and what all experts give is put back into the order of the tokens.
 */

/** The experts of each token: weights f32 and ids i64, both [B,T,k]. */
export interface Choice {
  readonly weights: Value;
  readonly experts: Value;
}

/** Groups of experts of which the best may be chosen from (DeepSeek): a group is as good as the sum of its `best` best scores. */
export interface Groups {
  readonly count: number;
  readonly kept: number;
  readonly best: number;
}

const topK = (g: SegmentBuilder, x: Value, k: number): { values: Value; indices: Value } => {
  const shape = x.shape.toSpliced(-1, 1, k);
  const [values, indices] = g.ops('TopK', [x, g.ints(k)], [{ shape }, { shape, dtype: 'i64' }], { axis: -1 });
  return { values: values as Value, indices: indices as Value };
};

/** Scores [B,T,X] with −∞ for all experts outside each token's best groups. */
export function inBestGroups(g: SegmentBuilder, scores: Value, { count, kept, best }: Groups): Value {
  if (kept >= count) return scores;
  const X = scores.shape.at(-1) as number;
  const byGroup = g.reshape(scores, 0, 0, count, X / count); // [B,T,G,X/G]
  const worth = g.squeeze(g.reduceSum(topK(g, byGroup, best).values, -1), -1); // [B,T,G]
  const chosen = g.unsqueeze(topK(g, worth, kept).indices, -1); // [B,T,kept,1]
  const is = g.equal(
    chosen,
    g.constant(
      BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
      [count],
    ),
  ); // [B,T,kept,G]
  const open = g.unsqueeze(g.greater(g.squeeze(g.reduceMax(g.cast(is, 'f32'), 2), 2), g.constant(0)), -1); // [B,T,G,1]
  return g.reshape(g.where(open, byGroup, g.constant(Number.NEGATIVE_INFINITY)), 0, 0, X);
}

/** The k experts of the highest `rank`, best first, each with its score. An intervention on `router.topk` sends tokens elsewhere. */
export function choose(g: SegmentBuilder, k: number, scores: Value, rank: Value = scores): Choice {
  const ids = g.cast(topK(g, rank, k).indices, 'f32');
  const experts = g.cast(g.probe('router.topk', ids), 'i64');
  return { experts, weights: g.op('GatherElements', [scores, experts], experts.shape, { axis: -1 }) };
}

/** w / (Σ w + ε) over the chosen experts. */
export const normalised = (g: SegmentBuilder, weights: Value, epsilon = 0): Value => {
  const sum = g.reduceSum(weights, -1);
  return g.div(weights, epsilon === 0 ? sum : g.add(sum, epsilon));
};

/**
 * Σ weight · expert(x) over the chosen of X experts: [B,T,D]. `expert` gets the rows of its tokens [n,D], n may be 0, and gives [n,D].
 * Probes: `router.weights` [B,T,k] and `experts.out` [B,T,k,D], what each chosen expert says before it is weighted.
 */
export function mixture(
  g: SegmentBuilder,
  x: Value,
  choice: Choice,
  X: number,
  expert: (e: number, rows: Value) => Value,
): Value {
  const [D, k] = [x.shape.at(-1), choice.experts.shape.at(-1)] as [number, number];
  const weights = g.probe('router.weights', choice.weights); // [B,T,k]
  const flat = g.reshape(x, -1, D); // [B·T,D]
  const slots = g.reshape(choice.experts, -1); // [B·T·k]: expert of each slot
  const tokens = g.unsqueeze(g.range(g.size(flat, 0), flat.shape[0] as string), 1);
  const owner = g.reshape(g.add(tokens, g.constant(new BigInt64Array(k), [k])), -1); // [B·T·k]: token of each slot
  const tokensOf = (e: number) => {
    const n = `n.${g.graph.nodes.length}`;
    const mine = g.op('NonZero', [g.equal(slots, g.constant(BigInt64Array.of(BigInt(e)), []))], [1, n], {}, 'i64');
    const slot = g.squeeze(mine, 0); // [n]
    return { slot, out: expert(e, g.gather(flat, g.gather(owner, slot))) };
  };
  const parts = Array.from({ length: X }, (_, e) => g.part({ name: 'expert', index: e, count: X, chosen: k }, () => tokensOf(e)));
  const all = (of: 'slot' | 'out', ...rest: number[]) =>
    g.op(
      'Concat',
      parts.map((part) => part[of]),
      [slots.shape[0] as string, ...rest],
      { axis: 0 },
    );
  // sorting a permutation inverts it
  const order = all('slot');
  const [, place] = g.ops(
    'TopK',
    [order, g.unsqueeze(g.size(order, 0), 0)],
    [{ shape: order.shape }, { shape: order.shape, dtype: 'i64' }],
    { axis: 0, largest: 0 },
  ) as [Value, Value];
  const bySlot = g.gather(all('out', D), place); // [B·T·k,D]
  const shape = g.concat([g.slice(g.op('Shape', [x], [3], {}, 'i64'), 0, 0, 2), g.ints(k, D)], 0);
  const said = g.probe('experts.out', g.op('Reshape', [bySlot, shape], ['B', 'T', k, D]));
  return g.squeeze(g.matmul(g.unsqueeze(weights, 2), said), 2); // [B,T,D]
}

/** One expert's gated MLP, its weights stored apart or all experts' in one tensor `experts.gate_up_proj` [X,2F,D], gate first. */
export function gatedExpert(
  g: SegmentBuilder,
  rows: Value,
  e: number,
  spec: { readonly experts: number; readonly size: number; readonly act: Activation; readonly names: MlpNames },
): Value {
  const { experts: X, size: F, act, names } = spec;
  const D = rows.shape.at(-1) as number;
  const fused = (name: string, shape: number[]) => g.weightPart(`experts.${name}`, e, shape);
  if (!g.has('experts.gate_up_proj')) {
    const part = (name: string, x: Value, size: number) => g.linear(x, `experts.${e}.${name}`, size);
    return part(names.down, g.mul(act(g, part(names.gate, rows, F)), part(names.up, rows, F)), D);
  }
  const both = g.matmul(rows, fused('gate_up_proj', [X, 2 * F, D]), { transB: true });
  const [gate, up] = g.split(both, -1, [F, F]) as [Value, Value];
  return g.matmul(g.mul(act(g, gate), up), fused('down_proj', [X, D, F]), { transB: true });
}
