import { length, positions, type Range } from '../tensor/ranges.js';
import type { AttentionRows, OutlinedRows, PooledRows, RowNorms } from './attentionRows.js';
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
export const outlineOutputs = [...partOutputs, 'top', 'peak', 'share'] as const;
export const wholeOutputs = [
  ...outlineOutputs,
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

/** What one head of a strip returned. */
class Returns {
  constructor(
    private readonly strip: Strip,
    private readonly g: number,
    private readonly out: Returned,
  ) {}

  /** Its share of [G, …]. */
  of(output: (typeof wholeOutputs)[number]): Float32Array {
    const data = this.#tensor(output).data as Float32Array;
    const size = data.length / length(this.strip.heads);
    return data.subarray(this.g * size, (this.g + 1) * size);
  }

  places(output: 'best.cell' | 'best.at'): BigInt64Array {
    const data = this.#tensor(output).data as BigInt64Array;
    const size = data.length / length(this.strip.heads);
    return data.subarray(this.g * size, (this.g + 1) * size);
  }

  #tensor(output: (typeof wholeOutputs)[number]): HostTensor {
    return this.out[`${this.strip.name}.${output}`] as HostTensor;
  }
}

/** Head by head, with the sink's share taken off. */
export const outlinedRows = (strip: Strip, pool: number, out: Returned): OutlinedRows[] =>
  positions(strip.heads).map((head, g) => outlined(strip, head, pool, new Returns(strip, g, out)));

function outlined({ rows, keys }: Strip, head: number, pool: number, returns: Returns): OutlinedRows {
  const [share, peak] = [returns.of('share'), returns.of('peak')];
  const total = peak.map((weight, r) => 1 / (weight * (share[r] as number)));
  const norms = { first: rows.from, top: returns.of('top'), total };
  return { head, rows, keys, pool, max: scaledRows(returns.of('max'), share), sum: scaledRows(returns.of('sum'), share), norms };
}

/** The same with what the rows add up to. */
export function wholeRows(strip: Strip, pool: number, out: Returned): AttentionRows[] {
  const { heads, rows, keys } = strip;
  return positions(heads).map((head, g) => {
    const returns = new Returns(strip, g, out);
    const outline = outlined(strip, head, pool, returns);
    const share = returns.of('share');
    const shared = (output: (typeof wholeOutputs)[number]) => scaledRows(returns.of(output), share);
    const near = shared('near');
    const nearAt = (side: 0 | 1) => share.map((_, r) => (rows.from + r - side >= keys.from ? (near[2 * r + side] as number) : 0));
    const { top, total } = outline.norms;
    const weighted = shared('bits');
    const best = shared('best');
    const listed = best.length / length(rows);
    return {
      ...outline,
      received: returns.of('received'),
      // −Σ w log w, w = exp(score − top) / total
      entropy: share.map((sum, r) =>
        Math.max(0, (sum * ((top[r] as number) + Math.log(total[r] as number)) - (weighted[r] as number)) / Math.LN2),
      ),
      self: nearAt(0),
      previous: nearAt(1),
      sink: keys.from === 0 ? shared('first') : new Float32Array(length(rows)),
      copies: shared('copies'),
      listed,
      best,
      bestKeys: bestKeys(returns, length(rows), listed, pool).map((key) => key + keys.from),
    };
  });
}

/** Where the largest weights are, from the first key on: by place among those of the cells that were looked at. */
function bestKeys(returns: Returns, rows: number, listed: number, pool: number): Int32Array {
  const [cells, places] = [returns.places('best.cell'), returns.places('best.at')];
  const looked = cells.length / rows;
  return Int32Array.from({ length: rows * listed }, (_, i) => {
    const place = Number(places[i]);
    return Number(cells[Math.floor(i / listed) * looked + Math.floor(place / pool)]) * pool + (place % pool);
  });
}

/** What a strip over some keys returned, normalised. */
export function partRows({ name, heads, rows, keys }: Strip, pool: number, norms: RowNorms, out: Returned): PooledRows {
  const factors = norms.total.slice(rows.from - norms.first, rows.to - norms.first).map((total) => 1 / total);
  const of = (output: (typeof partOutputs)[number]) => scaledRows(out[`${name}.${output}`]?.data as Float32Array, factors);
  return { head: heads.from, rows, keys, pool, max: of('max'), sum: of('sum') };
}

/** Row r of [rows, …] times factors[r]; the same array when there is nothing to do. */
function scaledRows(values: Float32Array, factors: Float32Array): Float32Array {
  if (factors.every((factor) => factor === 1)) return values;
  const width = values.length / factors.length;
  const scaled = new Float32Array(values.length);
  for (let r = 0; r < factors.length; r++)
    for (let i = r * width; i < (r + 1) * width; i++) scaled[i] = (values[i] as number) * (factors[r] as number);
  return scaled;
}
