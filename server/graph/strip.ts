import type { AttentionSpec } from './blocks/attention.js';
import { sees } from './blocks/sees.js';
import { Builder } from './builder.js';
import type { Graph, Value } from './ir.js';

/** A strip of an attention pattern: G heads that share keys, R queries, S keys. Scored, normalised and pooled where it is computed. */
export interface StripKind {
  readonly spec: AttentionSpec;
  /** Size of q and k as scored. */
  readonly size: number;
  /**
   * outline: every key that the queries see, which tells how their rows are normalised; all: the same with what their weights add up to; part: some
   * keys, of rows whose normalisation is known.
   */
  readonly reads: 'outline' | 'all' | 'part';
  /** Whether some of these keys are hidden from some of these queries. */
  readonly masked: boolean;
}

/** Finite, so that a weight of 0 times it is 0. */
const HIDDEN = -1e30;

/**
 * Inputs: `q` [1,H,Q,E], of which heads and queries `from`…`to` (i64 [2] each) are taken; `k` [1,1,S,E]; `shape` = G, R, S; `cells` =
 * 0, 0, −1, p: keys are pooled by p. Masked: `query` and `key`, positions of the first ones, `open` leading keys that all queries see, and
 * `tokens`, the keys there are (i64 [1] each).
 *
 * Outline: `max` and `sum` [G,R,C] of the weights, `top` and `peak` [G,R,1] (the largest score and its weight), `share` [G,R,1] (what a sink
 * leaves; everything else is before the sink). All: these, `received` [G,1,S], `bits` [G,R,1,1] (Σ weight · score), `near` [G,R,2] (weights of the keys
 * `near.at`), `first` [G,R,1], `copies` [G,R,1,1] (Σ weight · `same` [R,S]), `best` [G,R,n] (largest weights) with `best.cell` and `best.at`.
 * A part: `max` and `sum` of exp(score − `top`), given `top` [G,R,1].
 */
export function stripGraph(kind: StripKind): Graph {
  const g = new Builder(`strip_${kind.reads}${kind.masked ? '_masked' : ''}`);
  const scores = scored(g, kind); // [G,R,S]
  const cells = g.input('cells', 'i64', [4]);
  const split = (x: Value) => g.op('Reshape', [x, cells], ['G', 'R', 'C', 'p']);
  const pool = (x: Value) => {
    const parts = split(x);
    const reduce = (op: string) => g.op(op, [parts, g.ints(3)], ['G', 'R', 'C'], { keepdims: 0 });
    g.output('sum', reduce('ReduceSum'));
    const max = reduce('ReduceMax');
    g.output('max', max);
    return { parts, max };
  };
  if (kind.reads === 'part') {
    pool(g.exp(g.sub(scores, g.input('top', 'f32', ['G', 'R', 1]))));
    return g.graph;
  }
  const top = g.reduceMax(scores, 2);
  const weights = g.softmax(scores);
  const { parts, max } = pool(weights);
  const peak = g.reduceMax(max, 2);
  const share = kind.spec.sinks ? leftBySink(g, top, peak) : g.add(g.mul(peak, 0), 1); // [G,R,1]
  g.output('top', top);
  g.output('peak', peak);
  g.output('share', share);
  if (kind.reads === 'all') sums(g, { scores, weights, share, parts, max });
  return g.graph;
}

type Rows = Readonly<Record<'scores' | 'weights' | 'share' | 'parts' | 'max', Value>>;

/** What rows add up to, each by one product that reads the weights once. */
function sums(g: Builder, { scores, weights, share, parts, max }: Rows): void {
  const row = (x: Value) => g.unsqueeze(x, 2); // [G,R,1,S]
  g.output('received', g.matmul(g.transpose(share, 0, 2, 1), weights));
  g.output('bits', g.matmul(row(weights), row(scores), { transB: true }));
  g.output('near', g.op('GatherElements', [weights, g.input('near.at', 'i64', ['G', 'R', 2])], ['G', 'R', 2], { axis: 2 }));
  g.output('first', g.slice(weights, 2, 0, 1));
  g.output('copies', g.matmul(row(weights), g.unsqueeze(g.input('same', 'f32', ['R', 'S']), 1), { transB: true }));
  best(g, parts, max);
}

/** scale · q kᵀ, capped and masked as the layer does it: [G,R,S]. */
function scored(g: Builder, { spec, size, masked }: StripKind): Value {
  const { scale, softcap } = spec;
  const taken = [
    g.input('q', 'f32', ['B', 'H', 'Q', size]),
    g.input('from', 'i64', [2]),
    g.input('to', 'i64', [2]),
    g.ints(1, 2),
  ];
  const q = g.reshape(g.op('Slice', taken, ['B', 'G', 'R', size]), -1, size); // [G·R,E]
  const k = g.reshape(g.input('k', 'f32', [1, 1, 'S', size]), -1, size);
  const product = g.matmul(q, k, { transB: true, alpha: softcap === null ? scale : scale / softcap });
  const byHead = g.op('Reshape', [product, g.input('shape', 'i64', [3])], ['G', 'R', 'S']);
  const capped = softcap === null ? byHead : g.mul(g.tanh(byHead), softcap);
  return masked ? hidden(g, spec, capped) : capped;
}

/** Only the keys behind the open ones are compared with the queries: the mask costs what it hides. */
function hidden(g: Builder, spec: AttentionSpec, scores: Value): Value {
  const [query, key, open, tokens] = ['query', 'key', 'open', 'tokens'].map((name) => g.input(name, 'i64', [1])) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const part = (from: Value, to: Value) => g.op('Slice', [scores, from, to, g.ints(2)], ['G', 'R', 'N']);
  const late = part(open, g.ints(Number.MAX_SAFE_INTEGER));
  const queries = g.unsqueeze(g.add(g.range(g.size(late, 1), 'R'), query), 1); // [R,1]
  const keys = g.add(g.range(g.size(late, 2), 'N'), g.add(key, open)); // [N]
  const exists = g.less(keys, tokens);
  const seen = sees(g, spec, queries, keys);
  const mask = g.where(seen ? g.and(seen, exists) : exists, g.constant(0), g.constant(HIDDEN));
  return g.op('Concat', [part(g.ints(0), open), g.add(late, mask)], ['G', 'R', 'S'], { axis: 2 });
}

/** Σ exp(score − top) = 1 / peak without the sink, whose score takes its share: 1 / (1 + peak · exp(sink − top)). */
function leftBySink(g: Builder, top: Value, peak: Value): Value {
  const sink = g.input('sinks', 'f32', ['G', 1, 1]);
  const taken = g.mul(peak, g.exp(g.sub(sink, top)));
  return g.div(g.add(g.mul(taken, 0), 1), g.add(taken, 1));
}

/** The largest weights of each row: they lie in the cells with the largest maxima. */
function best(g: Builder, parts: Value, max: Value): void {
  const top = (x: Value, count: Value) =>
    g.ops('TopK', [x, count], [{ shape: ['G', 'R', 'n'] }, { shape: ['G', 'R', 'n'], dtype: 'i64' }], { axis: -1 }) as [
      Value,
      Value,
    ];
  const [, cell] = top(max, g.input('best.cells', 'i64', [1]));
  const held = g.op('GatherND', [parts, g.unsqueeze(cell, 3)], ['G', 'R', 'n', 'p'], { batch_dims: 2 });
  const [weights, at] = top(g.op('Reshape', [held, g.ints(0, 0, -1)], ['G', 'R', 'n·p']), g.input('best.count', 'i64', [1]));
  g.output('best', weights);
  g.output('best.cell', cell);
  g.output('best.at', at);
}

/**
 * 1 where a key follows a copy of the query's token: inputs `id` [R,1] and `before` [1,S], ids as f32; output `same` [R,S]. Where all keys are seen,
 * only a key before its query counts: `query` [R,1] and `key` [1,S]. A causal query sees none behind it, and itself is taken off afterwards.
 */
export function copiesGraph({ causal }: Pick<AttentionSpec, 'causal'>): Graph {
  const g = new Builder('copies');
  const input = (name: string, shape: readonly (string | number)[]) => g.input(name, 'f32', shape);
  const same = g.equal(input('id', ['R', 1]), input('before', [1, 'S']));
  const counted = causal === false ? g.and(same, g.less(input('key', [1, 'S']), input('query', ['R', 1]))) : same;
  g.output('same', g.cast(counted, 'f32'));
  return g.graph;
}
