/** A cell of the whole picture, in rows and columns of the data (not of pooled tiles). */
export interface Cell {
  readonly row: number;
  readonly col: number;
}

/** A rectangle of cells: from inclusive, to exclusive. */
export interface Window {
  readonly row0: number;
  readonly row1: number;
  readonly col0: number;
  readonly col1: number;
}

/** Values of a window, one per cell or pooled to fewer: [rows, cols], row-major. */
export interface Tile extends Window {
  readonly rows: number;
  readonly cols: number;
  readonly data: ArrayLike<number>;
}

/** A matrix that is all there. */
export const wholeTile = (rows: number, cols: number, data: ArrayLike<number>): Tile => ({
  row0: 0,
  row1: rows,
  col0: 0,
  col1: cols,
  rows,
  cols,
  data,
});

/** Value drawn at a cell: of the last (finest) tile that covers it; undefined where nothing was loaded. */
export function valueAt(tiles: readonly Tile[], { row, col }: Cell): number | undefined {
  for (let i = tiles.length - 1; i >= 0; i--) {
    const tile = tiles[i];
    if (!tile || row < tile.row0 || row >= tile.row1 || col < tile.col0 || col >= tile.col1) continue;
    const r = Math.floor(((row - tile.row0) * tile.rows) / (tile.row1 - tile.row0));
    const c = Math.floor(((col - tile.col0) * tile.cols) / (tile.col1 - tile.col0));
    return tile.data[r * tile.cols + c];
  }
  return undefined;
}

/** True where the value shown at a cell stands for more than that cell. */
export const isPooled = (tile: Tile): boolean => tile.rows < tile.row1 - tile.row0 || tile.cols < tile.col1 - tile.col0;

/** `byRows` × `byCols` cells become one, the value of largest magnitude: a zoomed-out picture hides no spike. */
export function pool(tile: Tile, byRows: number, byCols: number): Tile {
  const rows = Math.ceil(tile.rows / byRows);
  const cols = Math.ceil(tile.cols / byCols);
  const data = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) data[r * cols + c] = extreme(tile, r * byRows, c * byCols, byRows, byCols);
  }
  // A last row or column that stands for fewer cells keeps the size of the others: the picture grows by what it lacks.
  const rowCells = ((tile.row1 - tile.row0) / tile.rows) * byRows;
  const colCells = ((tile.col1 - tile.col0) / tile.cols) * byCols;
  return {
    row0: tile.row0,
    col0: tile.col0,
    row1: tile.row0 + rows * rowCells,
    col1: tile.col0 + cols * colCells,
    rows,
    cols,
    data,
  };
}

/** Values that are not finite win: they are what one must not miss. */
function extreme({ rows, cols, data }: Tile, row: number, col: number, byRows: number, byCols: number): number {
  let found = data[row * cols + col] ?? 0;
  for (let r = row; r < Math.min(row + byRows, rows); r++) {
    for (let c = col; c < Math.min(col + byCols, cols); c++) {
      const value = data[r * cols + c] ?? 0;
      if (!Number.isFinite(value)) return value;
      if (Math.abs(value) > Math.abs(found)) found = value;
    }
  }
  return found;
}
