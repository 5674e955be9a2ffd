import type { Signal } from '@preact/signals';
import type { Cell, Tile, Window } from './grid.js';
import type { ColourScale } from './scale.js';

/** Columns that lie on the token strip's axis (CSS pixels): the strip then zooms and scrolls the picture, and back. */
export interface SharedColumns {
  readonly first: number;
  readonly width: number;
  /** Width of the strip. */
  readonly pixels: number;
  /** How much farther left than the strip the picture begins: room for the names of rows. */
  readonly gutter?: number;
  zoomBy(factor: number, x: number, y: number): void;
  scrollBy(pixels: number): void;
  reveal(col: number): void;
  /** Rows on an axis of the same scale: cells are then square (queries × keys). */
  readonly rows?: SharedRows;
}

export interface SharedRows {
  readonly first: number;
  scrollBy(pixels: number): void;
  reveal(row: number): void;
  showAll(): void;
}

export interface HeatmapProps {
  readonly rows: number;
  readonly cols: number;
  /** Values, coarse tiles before fine ones; `wholeTile(rows, cols, data)` when all are here. Keep the array between renders. */
  readonly tiles: readonly Tile[];
  readonly scale: ColourScale;
  /** What the picture shows, in words. */
  readonly label: string;
  /** What a row and a column stand for: "query", "key". */
  readonly rowName: string;
  readonly colName: string;
  readonly rowLabel?: (row: number) => string;
  readonly colLabel?: (col: number) => string;
  /** The reading at a cell; by default "row r, column c: value". */
  readonly describe?: (cell: Cell, value: number) => string;
  /** What a cell without a value is; "not loaded" by default. */
  readonly absent?: string;
  /** square (default): cells keep their shape. strip: rows fill the height and only columns zoom (heads × tokens). */
  readonly shape?: 'square' | 'strip';
  /** Largest height and largest fitted cell in CSS pixels. */
  readonly height?: number;
  readonly cell?: number;
  readonly columns?: SharedColumns;
  readonly selected?: Cell | null;
  /** Outlines a whole row. */
  readonly selectedRow?: number | null;
  /** Only cells on and below the diagonal exist; the others stay empty. */
  readonly lower?: boolean;
  /** An image below the cells, which then cover it the more the larger their value is. */
  readonly under?: CanvasImageSource | null;
  /** Cursor shared with other pictures of the same grid. */
  readonly cursor?: Signal<Cell | null>;
  /** False where the reading is shown elsewhere. */
  readonly reading?: boolean;
  onSelect?(cell: Cell): void;
  onHover?(cell: Cell | null): void;
  /** What is on screen and its size in device pixels, for sources that load tiles. */
  onViewport?(window: Window, rows: number, cols: number): void;
}
