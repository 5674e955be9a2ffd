import type { Builder } from '../builder.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import type { StateSpec } from '../state.js';
import { causalMask, type Reading, type Rows, readRows, type Scoring, softCapped, softmaxWithSinks } from './readRows.js';
import type { Sight } from './sees.js';

/** What is read, without its mask. */
type Read = Omit<Reading, 'hidden' | 'as'>;
/** What becomes of the z [B,H,·,E] of some queries. */
type Then = (b: Builder, z: Value) => Value;

/**
 * z [B,T,H,E] of queries that see their own token and some before it. All at once, with the probes `attn.scores` and `attn.pattern`; or, where
 * nobody looks at those and there are more than a few tokens, a block of queries at a time: it meets only the keys that its queries may see,
 * and its scores stay in the cache of the processor, neither joined nor split.
 */
export function readCausally(
  g: SegmentBuilder,
  spec: Scoring & Sight,
  state: StateSpec,
  read: Read,
  then: Then = (_, z) => z,
): Value {
  const q = read.terms[0]?.q as Value;
  const hidden = causalMask(g, spec, state, q);
  const whole = (b: Builder) => b.transpose(then(b, readRows(g, spec, { ...read, hidden }, b).z), 0, 2, 1, 3);
  const Q = g.queriesAtOnce('attn.scores', 'attn.pattern');
  if (Q === null) return whole(g);
  const frame = frameOf(g, spec, state, { Q, q, hidden });
  const few = g.less(g.squeeze(frame.T, 0), g.constant(BigInt64Array.of(BigInt(Q))));
  const [z] = g.choose(
    few,
    (b) => [whole(b)],
    (b) => [inBlocks(b, spec, frame, read, then)],
  );
  return z as Value;
}

/** What all blocks of a segment that read alike have in common. */
interface Frame {
  readonly Q: number;
  readonly T: Value;
  readonly kept: Value;
  /** The first query of each block, i64 [1,n]: the last block begins early, so that it is whole. */
  readonly starts: Value;
  /** For each query its place among those of all blocks, i64 [T]. */
  readonly places: Value;
  /** The mask of kept rows and new ones, without room for more: [T,R]. */
  readonly mask: Value;
  /** Position of the first kept row, i64 [1]. */
  readonly origin: Value;
}

function frameOf(
  g: SegmentBuilder,
  { window, chunk }: Sight,
  state: StateSpec,
  { Q, q, hidden }: { readonly Q: number; readonly q: Value; readonly hidden: Value },
): Frame {
  const T = g.tokenCount(q, 2);
  const kept = g.kept(state);
  const past = g.kvPast(state);
  const count = g.memo('blocks', () => g.div(g.add(T, Q - 1), Q)); // [1]
  const starts = g.memo('block starts', () => {
    const each = g.mul(g.range(g.squeeze(count, 0), 'n'), Q);
    return g.unsqueeze(g.min(each, g.sub(T, Q)), 0);
  });
  const places = g.memo('block places', () => {
    const token = g.range(g.squeeze(T, 0), 'T');
    const inLast = g.lessOrEqual(g.mul(g.sub(count, 1), Q), token);
    return g.add(token, g.where(inLast, g.sub(g.mul(count, Q), T), g.constant(BigInt64Array.of(0n), [1])));
  });
  const mask = g.memo(`block mask.${kept.name}.${window}.${chunk}`, () => {
    const room = g.unsqueeze(g.size(past, past.shape.length - 2), 0);
    const part = (from: Value, to: Value) => g.op('Slice', [hidden, from, to, g.ints(1)], ['T', `${from.name}:${to.name}`]);
    return { ...g.concat([part(g.ints(0), kept), part(room, g.add(room, T))], 1), shape: ['T', 'R'] };
  });
  const origin = g.memo(`origin.${kept.name}`, () => g.sub(g.past, kept));
  return { Q, T, kept, starts, places, mask, origin };
}

function inBlocks(b: Builder, spec: Scoring & Sight, frame: Frame, { terms, rows, sinks }: Read, then: Then): Value {
  const { Q, kept, starts, places, mask } = frame;
  const H = spec.heads;
  const [, K, , E] = rows.fresh.shape as [unknown, number, unknown, number];
  const zero = b.ints(0);
  const two = b.ints(2);
  /** Kept rows and new ones, [B,K,R,·]. */
  const joined = ({ past, fresh }: Rows): Value => {
    const old = b.op('Slice', [past, zero, kept, two], past.shape.toSpliced(2, 1, 'kept'));
    return { ...b.concat([old, fresh], 2), shape: fresh.shape.toSpliced(2, 1, 'R') };
  };
  const known = new Map<Rows, Value>();
  const all = (of: Rows) => known.get(of) ?? (known.set(of, joined(of)).get(of) as Value);
  const [keys, values] = [terms.map((term) => all(term.keys)), all(rows)];
  const { outputs } = b.scanStates([], [starts], (body, _, [start]) => {
    const [from, to] = columns(body, spec, frame, start as Value);
    const end = body.add(start as Value, Q);
    const axis = body.ints(2);
    const part = (x: Value) => body.op('Slice', [x, from, to, axis], x.shape.toSpliced(2, 1, 'r'));
    const score = terms.map(({ q }, i) => {
      const size = q.shape.at(-1) as number;
      const own = body.op('Slice', [q, start as Value, end, axis], ['B', H, Q, size]);
      const grouped = H === K ? own : body.reshape(own, 0, K, (H / K) * Q, size);
      return body.matmul(grouped, part(keys[i] as Value), { transB: true, alpha: spec.scale });
    });
    const raw = softCapped(
      body,
      score.reduce((x, y) => body.add(x, y)),
      spec.softcap,
    );
    const apart = H === K ? raw : body.op('Reshape', [raw, body.ints(0, H, Q, -1)], ['B', H, Q, 'r']);
    const corner = [body.concat([start as Value, from], 0), body.concat([end, to], 0)] as const;
    const masked = body.add(apart, body.op('Slice', [mask, ...corner, body.ints(0, 1)], [Q, 'r']));
    const weights = sinks ? softmaxWithSinks(body, masked, sinks) : body.softmax(masked);
    const together =
      H === K ? weights : body.op('Reshape', [weights, body.ints(0, K, (H / K) * Q, -1)], ['B', K, (H / K) * Q, 'r']);
    const z = body.reshape(body.matmul(together, part(values)), 0, H, Q, E); // [B,H,Q,E]
    return { states: [], outputs: [body.transpose(then(body, z), 0, 2, 1, 3)] };
  });
  const blocks = outputs[0] as Value; // [B,n,Q,H,E]
  const [heads, size] = blocks.shape.slice(-2) as [number, number];
  const flat = b.op('Reshape', [blocks, b.ints(0, -1, heads, size)], ['B', 'n·Q', heads, size]);
  return b.gather(flat, places, 1); // [B,T,H,E]
}

/** The rows that a block's queries may see, as columns from…to, i64 [1] each. */
function columns(b: Builder, { window, chunk }: Sight, { Q, kept, origin }: Frame, start: Value): [Value, Value] {
  const first = b.add(kept, start); // the column of the first query's own row
  const to = b.add(first, Q);
  if (chunk !== undefined) {
    const position = b.add(origin, first);
    return [b.max(b.sub(b.sub(position, b.mod(position, chunk)), origin), 0), to];
  }
  return [window === null ? b.ints(0) : b.max(b.sub(first, window - 1), 0), to];
}
