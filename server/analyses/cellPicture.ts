import type { PooledRows } from '../runtime/attentionRows.js';
import { length, type Range } from '../tensor/ranges.js';

/** Weights of one head pooled to square cells: every weight of a cell counts. */
export class CellPicture {
  readonly rows: number;
  readonly cols: number;
  /** Largest weight, and Σ weights: [rows, cols]. */
  readonly max: Float32Array;
  readonly sum: Float64Array;

  /** `queries` and `keys` begin at multiples of `pool`. */
  constructor(
    readonly queries: Range,
    readonly keys: Range,
    readonly pool: number,
  ) {
    this.rows = Math.ceil(length(queries) / pool);
    this.cols = Math.ceil(length(keys) / pool);
    this.max = new Float32Array(this.rows * this.cols);
    this.sum = new Float64Array(this.rows * this.cols);
  }

  /** Rows whose keys are pooled alike; their keys may go beyond the picture. */
  add({ rows, keys, max, sum }: Omit<PooledRows, 'head' | 'pool'>): void {
    const width = length(keys) / this.pool;
    const shift = (keys.from - this.keys.from) / this.pool;
    const [first, last] = [Math.max(0, -shift), Math.min(width, this.cols - shift)];
    for (let row = rows.from; row < rows.to; row++) {
      const from = (row - rows.from) * width;
      const to = Math.floor((row - this.queries.from) / this.pool) * this.cols + shift;
      for (let cell = first; cell < last; cell++) {
        const [value, at] = [max[from + cell] as number, to + cell];
        if (value > (this.max[at] as number)) this.max[at] = value;
        this.sum[at] = (this.sum[at] as number) + (sum[from + cell] as number);
      }
    }
  }

  /** The same with `by` × `by` cells in one. */
  coarser(by: number): CellPicture {
    if (by === 1) return this;
    const out = new CellPicture(this.queries, this.keys, this.pool * by);
    for (let row = 0; row < this.rows; row++)
      for (let col = 0; col < this.cols; col++) {
        const [from, to] = [row * this.cols + col, Math.floor(row / by) * out.cols + Math.floor(col / by)];
        out.max[to] = Math.max(out.max[to] as number, this.max[from] as number);
        out.sum[to] = (out.sum[to] as number) + (this.sum[from] as number);
      }
    return out;
  }
}

/** Σ weights over the weights that the cells stand for; cells at the end stand for fewer. */
export function meanOf({ rows, cols, sum, pool, queries, keys }: CellPicture): Float32Array {
  const size = (range: Range, cell: number) => Math.min(pool, length(range) - cell * pool);
  const mean = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) mean[r * cols + c] = (sum[r * cols + c] as number) / (size(queries, r) * size(keys, c));
  return mean;
}
