import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { rowState, type StateSpec } from '../state.js';
import { publish, splitHeads } from './attention.js';
import { causalMask, type Reading, readRows, reshapeTo } from './readRows.js';
import { type Rope, rotate } from './rope.js';

/** Sizes of a native sparse attention. Its three branches share queries and have keys and values of their own. */
export interface SparseSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rope: Rope;
  /** Tokens that one compressed row stands for, and how far apart such blocks begin. */
  readonly block: number;
  readonly stride: number;
  /** Tokens of a block that is selected, and how many of them a query reads. */
  readonly selectBlock: number;
  readonly selected: number;
  readonly window: number;
}

export const BRANCHES = ['cmp', 'slc', 'win'] as const;

/** The last tokens as the compression reads them: each becomes part of the blocks it lies in. */
const waiting = (name: string, { kvHeads, headDim, block }: SparseSpec): StateSpec => ({
  name: `conv_${name}`,
  kind: 'conv',
  shape: [kvHeads * headDim, block],
  keeps: null,
});

const rowsOf = ({ kvHeads, headDim, block, stride, window }: SparseSpec) => {
  const pair = (branch: string, keeps: StateSpec['keeps']) =>
    [rowState(`k_${branch}`, kvHeads, headDim, keeps), rowState(`v_${branch}`, kvHeads, headDim, keeps)] as const;
  return { cmp: pair('cmp', { block, stride }), slc: pair('slc', null), win: pair('win', window - 1) };
};

export function sparseState(spec: SparseSpec): StateSpec[] {
  const { cmp, slc, win } = rowsOf(spec);
  return [...slc, ...win, ...cmp, waiting('k', spec), waiting('v', spec)];
}

/** Blocks that have ended after so many tokens, i64 [1]. */
const ended = (g: SegmentBuilder, { block, stride }: SparseSpec, tokens: Value): Value =>
  g.max(g.div(g.add(tokens, stride - block), stride), 0);

/** Ids of the blocks that end within this call, [N], and how many had ended before, [1]. */
function blocksOf(g: SegmentBuilder, spec: SparseSpec, x: Value): { readonly ids: Value; readonly before: Value } {
  const before = ended(g, spec, g.past);
  const now = ended(g, spec, g.add(g.past, g.tokenCount(x)));
  return { before, ids: g.add(g.range(g.squeeze(g.sub(now, before), 0), 'N'), before) };
}

/** Rows x [B,T,K·E] of a block's tokens, each with its place added, as one row: [B,K,N,E]. A convolution whose outputs are far apart. */
function compress(g: SegmentBuilder, spec: SparseSpec, x: Value, name: string, ids: Value): Value {
  const { kvHeads: K, headDim: E, block: l, stride } = spec;
  const state = waiting(name, spec);
  const inputs = g.concat([g.transpose(g.statePast(state), 0, 2, 1), x], 1); // [B,l+T,K·E]: row l + t is new token t
  g.stateNew(state.name, g.transpose(g.slice(inputs, 1, -l, Number.MAX_SAFE_INTEGER, l), 0, 2, 1));
  g.stateEvery(state.name, () => {
    const back = (age: number) => g.slice(inputs, 1, l - age, age === 0 ? Number.MAX_SAFE_INTEGER : -age, 'T');
    const rows = Array.from({ length: l }, (_, j) => g.unsqueeze(back(l - 1 - j), -1));
    return g.concat(rows, -1); // [B,T,K·E,l]
  });
  const first = g.unsqueeze(g.add(g.sub(g.mul(ids, stride), g.past), l), 1); // [N,1]
  const places = g.constant(
    BigInt64Array.from({ length: l }, (_, i) => BigInt(i)),
    [l],
  );
  const cells = g.reshape(g.gather(inputs, g.add(first, places), 1), 0, 0, l, K, E); // [B,N,l,K,E]
  const placed = g.add(cells, g.reshape(g.weight(`pe_${name}`, [l, E]), l, 1, E));
  const flat = g.reshape(g.transpose(placed, 0, 3, 1, 2, 4), 0, K, 0, l * E); // [B,K,N,l·E]
  return g.linear(flat, `phi_${name}`, E); // [B,K,N,E]
}

interface Branch {
  readonly name: (typeof BRANCHES)[number];
  readonly q: Value;
  /** New rows, [B,K,·,E]. */
  readonly k: Value;
  readonly v: Value;
  readonly hidden: Value;
  readonly sinks?: Value;
}

/** z [B,T,H,E] and the pattern [B,H,T,S] of one branch; rows S are tokens, or blocks. */
function read(g: SegmentBuilder, spec: SparseSpec, { name, q, k, v, hidden, sinks }: Branch): { z: Value; pattern(): Value } {
  const [keys, values] = rowsOf(spec)[name];
  publish(g, keys.name, k);
  publish(g, values.name, v);
  const reading: Reading = {
    terms: [{ q, keys: { past: g.kvPast(keys), fresh: k } }],
    rows: { past: g.kvPast(values), fresh: v },
    hidden,
    sinks,
    as: { name: `attn.${name}`, rows: `S.${keys.name}` },
  };
  const { z, pattern } = readRows(g, { heads: spec.heads, scale: spec.headDim ** -0.5, softcap: null }, reading);
  return { z: g.probe(`attn.${name}.z`, g.transpose(z, 0, 2, 1, 3)), pattern };
}

/** Scores of a column that takes all weight where a query sees no block yet, and none elsewhere. */
const nothing = (g: SegmentBuilder, heads: number): Value => g.constant(new Float32Array(heads).fill(-1e30), [heads]);

/** 0 where a block has ended at the query, −∞ elsewhere: [T, C+N]. */
function endedMask(g: SegmentBuilder, spec: SparseSpec, ids: Value, q: Value): Value {
  const [keys] = rowsOf(spec).cmp;
  const past = g.kvPast(keys);
  const query = g.unsqueeze(g.positions(q, 2), 1); // [T,1]
  const column = g.range(g.size(past, 2), past.shape[2] as string);
  const last = g.add(g.mul(ids, spec.stride), spec.block - 1); // [N]
  const old = g.and(g.less(column, g.kept(keys)), g.lessOrEqual(g.constant(BigInt64Array.of(0n), [1]), query)); // [T,C]
  const all = g.concat([old, g.lessOrEqual(last, query)], 1);
  return g.where(all, g.constant(0), g.constant(Number.NEGATIVE_INFINITY));
}

/** i64 [M], its number of blocks [1], and the block each query is in, [T,1]. */
function selectable(g: SegmentBuilder, { selectBlock }: SparseSpec, q: Value) {
  const current = g.div(g.positions(q, 2), selectBlock); // [T]
  const count = g.add(g.slice(current, 0, -1, Number.MAX_SAFE_INTEGER, 1), 1); // [1]
  return { blocks: g.range(g.squeeze(count, 0), 'M'), count, current: g.unsqueeze(current, 1) };
}

type Selectable = ReturnType<typeof selectable>;

/** Eq. 9–10: what the compressed blocks that overlap a selectable one got, over the heads of a group: [B,K,T,M]. */
function importance(g: SegmentBuilder, spec: SparseSpec, pattern: Value, ids: Value, { blocks }: Selectable): Value {
  const { heads: H, kvHeads: K, stride, block, selectBlock } = spec;
  const T = g.tokenCount(pattern, 2);
  const byGroup = reshapeTo(g, pattern, [0, K, H / K, T, -1], ['B', K, H / K, 'T', 'S.k_cmp']);
  const past = g.kvPast(rowsOf(spec).cmp[0]);
  const every = g.concat([g.range(g.size(past, 2), past.shape[2] as string), ids], 0); // [C+N]
  const from = g.unsqueeze(g.mul(every, stride), 1);
  const start = g.mul(blocks, selectBlock); // [M]
  const overlap = g.and(g.less(from, g.add(start, selectBlock)), g.greater(g.add(from, block), start)); // [C+N,M]
  return g.probe('attn.importance', g.matmul(g.squeeze(g.reduceSum(byGroup, 2), 2), g.cast(overlap, 'f32')));
}

/** The first block, the one at hand and the most important others, as 1 among 0: [B,K,T,M]. Ties go to the earlier block. */
function select(g: SegmentBuilder, { selected }: SparseSpec, worth: Value, { blocks, count, current }: Selectable): Value {
  const seen = g.lessOrEqual(blocks, current); // [T,M]
  const forced = g.greater(
    g.add(g.cast(g.equal(blocks, current), 'f32'), g.cast(g.equal(blocks, g.constant(BigInt64Array.of(0n), [1])), 'f32')),
    g.constant(0),
  );
  const ranked = g.where(seen, g.where(forced, g.constant(1e9), worth), g.constant(Number.NEGATIVE_INFINITY));
  const [, best] = g.ops(
    'TopK',
    [ranked, g.min(count, selected)],
    [{ shape: worth.shape.toSpliced(-1, 1, 'k') }, { shape: worth.shape.toSpliced(-1, 1, 'k'), dtype: 'i64' }],
    { axis: -1 },
  ) as [Value, Value];
  const hits = g.cast(g.equal(g.unsqueeze(best, -1), blocks), 'f32'); // [B,K,T,k,M]
  const chosen = g.squeeze(g.reduceMax(hits, 3), 3);
  return g.probe('attn.selected', g.mul(chosen, g.cast(seen, 'f32'))); // [B,K,T,M]
}

/** 0 where a query may look within its selected blocks, −∞ elsewhere: [B,H,T,S]. */
function selectedMask(g: SegmentBuilder, spec: SparseSpec, q: Value, chosen: Value, { count }: Selectable): Value {
  const { heads: H, kvHeads: K, selectBlock } = spec;
  const [keys] = rowsOf(spec).slc;
  const past = g.kvPast(keys);
  const positions = g.concat([g.range(g.size(past, 2), past.shape[2] as string), g.positions(q, 2)], 0); // [S]: all rows are kept
  const block = g.min(g.div(positions, selectBlock), g.sub(count, 1)); // room for more rows lies in no block
  const open = g.greater(g.gather(chosen, block, 3), g.constant(0)); // [B,K,T,S]
  const hidden = g.where(open, causalMask(g, { window: null }, keys, q), g.constant(Number.NEGATIVE_INFINITY));
  if (H === K) return hidden;
  const shape = ['B', K, H / K, 'T', 'S.k_slc'] as const;
  const shared = g.op('Expand', [g.unsqueeze(hidden, 2), g.ints(1, 1, H / K, 1, 1)], shape);
  return reshapeTo(g, shared, [0, H, g.tokenCount(q, 2), -1], ['B', H, 'T', 'S.k_slc']);
}

/** A probe of this block under a second name. */
function again(g: SegmentBuilder, name: string): Value {
  const value = g.probed(name);
  return g.op('Identity', [value], value.shape);
}

/**
 * Native sparse attention: Yuan et al. 2025 (arXiv 2502.11089), eq. 5–11. A query reads compressed blocks, the tokens of the few blocks that
 * matter most by them, and a window; a gate for each says how much. x [B,T,D] → [B,T,D], weights below the prefix in use.
 */
export function sparseAttention(g: SegmentBuilder, spec: SparseSpec, x: Value): Value {
  const { heads: H, kvHeads: K, headDim: E, rope } = spec;
  const q = g.probe('attn.q', splitHeads(g, g.linear(x, 'q_proj', H * E), H)); // [B,H,T,E]
  const turned = g.probe('attn.rot_q', rotate(g, q, rope));
  const flat = (name: string) => g.linear(x, name, K * E); // [B,T,K·E]
  const heads = (name: string) => splitHeads(g, flat(name), K); // [B,K,T,E]
  const key = (name: string) => g.probe(`attn.${name}.rot_k`, rotate(g, g.probe(`attn.${name}.k`, heads(`k_${name}`)), rope));
  const value = (name: string) => g.probe(`attn.${name}.v`, heads(`v_${name}`));

  const { ids } = blocksOf(g, spec, x);
  const compressed = read(g, spec, {
    name: 'cmp',
    q,
    k: compress(g, spec, flat('k_cmp'), 'k', ids),
    v: compress(g, spec, flat('v_cmp'), 'v', ids),
    hidden: endedMask(g, spec, ids, q),
    sinks: nothing(g, H),
  });
  const which = selectable(g, spec, q);
  const chosen = select(g, spec, importance(g, spec, compressed.pattern(), ids, which), which);
  const hidden = selectedMask(g, spec, q, chosen, which);
  const selected = read(g, spec, { name: 'slc', q: turned, k: key('slc'), v: value('slc'), hidden });
  // pictures of attention show this branch, whose rows are single tokens of the whole text
  for (const name of ['k', 'rot_k', 'v', 'scores', 'pattern']) g.observe(`attn.${name}`, () => again(g, `attn.slc.${name}`));
  const near = causalMask(g, spec, rowsOf(spec).win[0], q);
  const windowed = read(g, spec, { name: 'win', q: turned, k: key('win'), v: value('win'), hidden: near });

  const gates = g.probe('attn.gates', g.sigmoid(g.reshape(g.linear(x, 'gate', 3 * H), 0, 0, H, 3))); // [B,T,H,3]
  const parts = g.split(gates, -1, [1, 1, 1]);
  const mixed = [compressed, selected, windowed].map(({ z }, i) => g.mul(z, parts[i] as Value)).reduce((a, b) => g.add(a, b));
  const z = g.reshape(g.probe('attn.z', mixed), 0, 0, H * E);
  return g.probe('attn.out', g.linear(z, 'o_proj', x.shape.at(-1) as number)); // [B,T,D]
}
