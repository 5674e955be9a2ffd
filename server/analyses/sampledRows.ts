import type { OutlinedRows } from '../runtime/attentionRows.js';
import type { RunView } from '../runtime/view.js';
import type { Range } from '../tensor/ranges.js';

interface Sample {
  readonly tokens: number;
  readonly rows: number;
  readonly pool: number;
}

/** `rows` of the queries, evenly spaced, in the middle of what each stands for; the last is the last token's. `row` counts them. */
export async function sampleRows(
  view: RunView,
  layer: number,
  heads: Range,
  { tokens, rows, pool }: Sample,
  signal: AbortSignal,
  visit: (strip: OutlinedRows, row: number) => void,
): Promise<void> {
  const reader = view.attention(layer);
  await Promise.all(
    Array.from({ length: rows }, (_, row) => {
      const query = row === rows - 1 ? tokens - 1 : Math.floor(((row + 0.5) * tokens) / rows);
      return reader.outline({ rows: { from: query, to: query + 1 }, heads, pool }, (strip) => visit(strip, row), signal);
    }),
  );
}
