import { length, positions, type Range } from '../tensor/ranges.js';
import type { AttentionRows, PooledRows, RowNorms } from './attentionRows.js';
import { i64 } from './device.js';
import type { HostTensor } from './elements.js';

/** Heads that share keys, some queries, and the keys they are compared with, at multiples of the pool. */
export interface Strip {
  /** First part of the names of what it returns. */
  readonly name: string;
  readonly heads: Range;
  readonly rows: Range;
  readonly keys: Range;
}

export const partOutputs = ['max', 'sum'] as const;
export const wholeOutputs = [
  ...partOutputs,
  'top',
  'peak',
  'share',
  'received',
  'bits',
  'near',
  'first',
  'copies',
  'best',
  'best.cell',
  'best.at',
] as const;

type Returned = Readonly<Record<string, HostTensor>>;

/** Columns of the token itself and of the one before it, [G,R,2]; where there is none, any column. */
export function nearKeys({ heads, rows, keys }: Strip): HostTensor {
  const columns = positions(rows).flatMap((query) =>
    [query, query - 1].map((key) => Math.max(0, Math.min(key - keys.from, length(keys) - 1))),
  );
  const all = Array.from({ length: length(heads) }, () => columns).flat();
  return i64([length(heads), length(rows), 2], all);
}

/** What a strip over all keys returned, head by head, with the sink's share taken off. */
export function wholeRows({ name, heads, rows, keys }: Strip, pool: number, out: Returned): AttentionRows[] {
  const R = length(rows);
  const of = (output: (typeof wholeOutputs)[number]) => out[`${name}.${output}`]?.data as Float32Array;
  const listed = (out[`${name}.best`] as HostTensor).dims.at(-1) as number;
  const cellsListed = (out[`${name}.best.cell`] as HostTensor).dims.at(-1) as number;
  const [cell, at] = [out[`${name}.best.cell`], out[`${name}.best.at`]].map((t) => t?.data as BigInt64Array) as [
    BigInt64Array,
    BigInt64Array,
  ];
  return positions(heads).map((head, g) => {
    const rowsOf = (values: Float32Array, width = 1) => values.slice(g * R * width, (g + 1) * R * width);
    const share = rowsOf(of('share'));
    const shared = (values: Float32Array) => scaledRows(values, share);
    const [top, peak, near] = [rowsOf(of('top')), rowsOf(of('peak')), rowsOf(of('near'), 2)];
    const total = peak.map((weight, r) => 1 / (weight * (share[r] as number)));
    const weighted = shared(rowsOf(of('bits')));
    const width = length(keys) / pool;
    const sees = (key: number) => key >= keys.from;
    const nearAt = (side: 0 | 1) =>
      shared(Float32Array.from({ length: R }, (_, r) => (sees(rows.from + r - side) ? (near[2 * r + side] as number) : 0)));
    return {
      head,
      rows,
      keys,
      pool,
      max: shared(rowsOf(of('max'), width)),
      sum: shared(rowsOf(of('sum'), width)),
      norms: { first: rows.from, top, total },
      received: of('received').slice(g * length(keys), (g + 1) * length(keys)),
      // −Σ w log w, w = exp(score − top) / total
      entropy: share.map((sum, r) =>
        Math.max(0, (sum * ((top[r] as number) + Math.log(total[r] as number)) - (weighted[r] as number)) / Math.LN2),
      ),
      self: nearAt(0),
      previous: nearAt(1),
      sink: keys.from === 0 ? shared(rowsOf(of('first'))) : new Float32Array(R),
      copies: shared(rowsOf(of('copies'))),
      listed,
      best: shared(rowsOf(of('best'), listed)),
      bestKeys: Int32Array.from({ length: R * listed }, (_, i) => {
        const row = g * R + Math.floor(i / listed);
        const place = Number(at[g * R * listed + i]);
        return keys.from + Number(cell[row * cellsListed + Math.floor(place / pool)]) * pool + (place % pool);
      }),
    };
  });
}

/** What a strip over some keys returned, normalised. */
export function partRows({ name, heads, rows, keys }: Strip, pool: number, norms: RowNorms, out: Returned): PooledRows {
  const factors = norms.total.slice(rows.from - norms.first, rows.to - norms.first).map((total) => 1 / total);
  const of = (output: (typeof partOutputs)[number]) => scaledRows(out[`${name}.${output}`]?.data as Float32Array, factors);
  return { head: heads.from, rows, keys, pool, max: of('max'), sum: of('sum') };
}

/** Row r of [rows, …] times factors[r]. */
function scaledRows(values: Float32Array, factors: Float32Array): Float32Array {
  const width = values.length / factors.length;
  return values.map((value, i) => value * (factors[Math.floor(i / width)] as number));
}
