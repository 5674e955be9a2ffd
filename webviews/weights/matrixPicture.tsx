import { useMemo } from 'preact/hooks';
import type { TensorPicture } from '../../server/protocol/inspect.js';
import { type Cell, wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Histogram } from '../charts/histogram.js';
import { Legend } from '../charts/legend.js';
import { exact } from '../charts/numbers.js';
import { useColour } from '../charts/useColour.js';

type Pooled = Pick<TensorPicture, 'rows' | 'cols' | 'heatmap' | 'histogram'>;

export interface MatrixPictureProps {
  readonly picture: Pooled;
  /** What it is of: "the difference of q_proj". */
  readonly name: string;
  /** What one of its numbers is: "weight". */
  readonly unit: string;
  readonly height: number;
}

/** A matrix as a pooled heat map, and how its values spread. */
export function MatrixPicture({ picture, name, unit, height }: MatrixPictureProps) {
  const { rows, cols, heatmap, histogram } = picture;
  const [r = 1, c = 1] = heatmap.shape;
  const colour = useColour([heatmap.data], { kind: 'diverging', settings: { clip: 0.999 } });
  const tiles = useMemo(() => [wholeTile(r, c, heatmap.data)], [picture]);
  const pooled = r < rows || c < cols;
  return (
    <>
      <div class="picture-head">
        <h3>
          {rows} × {cols}
          {pooled && `, each cell the value of largest magnitude of ${Math.ceil(rows / r)} × ${Math.ceil(cols / c)}`}
        </h3>
        <Legend colour={colour} unit={unit} />
      </div>
      <Heatmap
        rows={r}
        cols={c}
        tiles={tiles}
        scale={colour.scale}
        label={`Values of ${name}`}
        rowName="row"
        colName="column"
        rowLabel={(row) => String(Math.floor((row * rows) / r))}
        colLabel={(col) => String(Math.floor((col * cols) / c))}
        height={height}
        cell={24}
        describe={(cell, value) => `${placeOf(cell, picture)}: ${exact(value)}`}
      />
      <Histogram edges={histogram.edges.data} counts={histogram.counts.data} label={`Histogram of ${name}`} unit={unit} />
    </>
  );
}

/** Rows and columns of the matrix that a cell of its picture stands for. */
function placeOf({ row, col }: Cell, { rows, cols, heatmap }: Pooled): string {
  const [r = 1, c = 1] = heatmap.shape;
  const span = (name: string, at: number, of: number, size: number) => {
    const from = Math.floor((at * size) / of);
    const to = Math.max(from, Math.ceil(((at + 1) * size) / of) - 1);
    return from === to ? `${name} ${from}` : `${name}s ${from}–${to}`;
  };
  return `${span('row', row, r, rows)}, ${span('column', col, c, cols)}`;
}
