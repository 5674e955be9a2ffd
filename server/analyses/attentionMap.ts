import { cellsOver } from '../tensor/grid.js';
import type { Analysis } from './analysis.js';
import { type Band, eachBand, reachOf, rowStart } from './bands.js';
import { attentionOf, checkIndex, provenance } from './subject.js';

/** A part of one head's pattern, pooled to the cells of a picture: a tile of a street map. */
export const map: Analysis<'attention/map'> = async (view, params, context) => {
  const started = performance.now();
  const { layer, head, rows, cols, pool } = params;
  checkIndex('head', head, attentionOf(view, layer).heads);
  const T = view.ids.length;
  const [queries, keys] = [params.queries, params.keys].map(([from, to]) => ({ from, to: Math.min(to, T) })) as [Span, Span];
  for (const { from } of [queries, keys]) checkIndex('token', from, T);
  const picture = new Float64Array(rows * cols);
  const rowCells = cellsOver(queries.from, queries.to, rows);
  const colCells = cellsOver(keys.from, keys.to, cols);
  await eachBand(view, layer, queries, context, (band) => {
    for (const [row, cell] of rowCells.entries())
      for (let query = Math.max(cell.from, band.from); query < Math.min(cell.to, band.to); query++)
        poolRow(
          picture.subarray(row * cols, (row + 1) * cols),
          band,
          { at: rowStart(band, head, query), reach: reachOf(view, layer, query) },
          colCells,
          pool,
        );
  });
  const weights = Float32Array.from(picture, (value, i) => {
    if (pool === 'max') return value;
    const [row, col] = [rowCells[Math.floor(i / cols)] as Span, colCells[i % cols] as Span];
    return value / ((row.to - row.from) * (col.to - col.from));
  });
  return {
    weights: { shape: [rows, cols], data: weights },
    max: weights.reduce((most, value) => Math.max(most, value), 0),
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Adds one row of weights to the cells it falls in: their sums, or their largest. Keys beyond the query's reach have none. */
function poolRow(
  cells: Float64Array,
  { data }: Band,
  { at, reach }: { readonly at: number; readonly reach: number },
  spans: readonly Span[],
  pool: 'mean' | 'max',
): void {
  for (const [col, { from, to }] of spans.entries()) {
    if (from >= reach) return;
    let value = cells[col] as number;
    for (let key = from; key < Math.min(to, reach); key++) {
      const weight = data[at + key] as number;
      value = pool === 'max' ? Math.max(value, weight) : value + weight;
    }
    cells[col] = value;
  }
}
