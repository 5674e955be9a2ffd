import type { AttentionSpec } from '../graph/blocks/attention.js';
import type { AttentionCell } from '../protocol/attention.js';
import { dot, entropyBits, logSumExp } from '../tensor/reduce.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Analysis } from './analysis.js';
import { attentionOf, checkIndex, provenance } from './subject.js';

/** Keys listed by weight. */
const LISTED = 16;

/** What one query of one head reads. */
export const row: Analysis<'attention/row'> = async (view, { layer, head, query }, { signal }) => {
  const started = performance.now();
  checkIndex('head', head, attentionOf(view, layer).heads);
  checkIndex('token', query, view.ids.length);
  const name = `blocks.${layer}.attn.pattern`;
  const probes = await view.probes([name], { range: { from: query, to: query + 1 }, signal });
  const weights = vectorOf(probes.get(name) as Tensor, head);
  const top = Array.from(weights, (weight, token) => ({ token, weight })).sort(
    (a, b) => b.weight - a.weight || a.token - b.token,
  );
  return {
    weights: { shape: [weights.length], data: weights },
    entropy: entropyBits(weights),
    top: top.slice(0, LISTED),
    provenance: provenance(view, name, started),
  };
};

/** How one weight comes about: every number of softmax(scale · q·k). */
export const cell: Analysis<'attention/cell'> = async (view, { layer, head, query, key }, { signal }) => {
  const started = performance.now();
  const spec = attentionOf(view, layer);
  checkIndex('head', head, spec.heads);
  for (const token of [query, key]) checkIndex('token', token, view.ids.length);
  const kvHead = Math.floor((head * spec.kvHeads) / spec.heads);
  const probe = (name: string) => `blocks.${layer}.attn.${name}`;
  const read = (names: readonly string[], token: number) =>
    view.probes(names.map(probe), { range: { from: token, to: token + 1 }, signal });
  const ofQuery = await read(['q', 'rot_q', 'scores', 'pattern'], query);
  const ofKey = await read(['k', 'rot_k'], key);
  const q = vectorOf(ofQuery.get(probe('rot_q')) as Tensor, head);
  const k = vectorOf(ofKey.get(probe('rot_k')) as Tensor, kvHead);
  const [plainQ, plainK] = [ofQuery.get(probe('q')) as Tensor, ofKey.get(probe('k')) as Tensor];
  const scores = vectorOf(ofQuery.get(probe('scores')) as Tensor, head);
  const weights = vectorOf(ofQuery.get(probe('pattern')) as Tensor, head);
  const product = dot(q, k);
  const scaled = product * spec.scale;
  return {
    q: { shape: [q.length], data: q },
    k: { shape: [k.length], data: k },
    products: { shape: [q.length], data: q.map((value, e) => value * (k[e] as number)) },
    dot: product,
    content: spec.rope && dot(vectorOf(plainQ, head), vectorOf(plainK, kvHead)),
    scale: spec.scale,
    softcap: spec.softcap,
    mask: maskOf(spec, query, key) === 'visible' && unselected(scores, query, key) ? 'unselected' : maskOf(spec, query, key),
    score: spec.softcap === null ? scaled : spec.softcap * Math.tanh(scaled / spec.softcap),
    logSumExp: spec.sinks ? withSink(scores, weights) : logSumExp(scores),
    weight: weights[key] ?? 0,
    provenance: provenance(view, probe('pattern'), started),
  };
};

/** log Σ exp over the keys and the sink: score − log weight, the same for every key and most exact for the heaviest. */
function withSink(scores: Float32Array, weights: Float32Array): number {
  const top = weights.indexOf(weights.reduce((most, weight) => Math.max(most, weight), 0));
  return (scores[top] as number) - Math.log(weights[top] as number);
}

/** A key that the window would let through, but a sparse attention did not choose. */
const unselected = (scores: Float32Array, query: number, key: number): boolean =>
  key <= query && scores[key] === Number.NEGATIVE_INFINITY;

function maskOf({ window, chunk, causal = true }: AttentionSpec, query: number, key: number): AttentionCell['mask'] {
  if (causal && key > query) return 'causal';
  if (chunk !== undefined) return Math.floor(key / chunk) === Math.floor(query / chunk) ? 'visible' : 'chunk';
  return window !== null && query - key >= window ? 'window' : 'visible';
}

/** The vector of one head from [heads, 1, n]: a copy of its own. */
function vectorOf({ shape, data }: Tensor, head: number): Float32Array {
  const n = shape.at(-1) as number;
  return data.slice(head * n, (head + 1) * n);
}
