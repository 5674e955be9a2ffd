import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import './heatmap.css';
import { useGestures } from './gestures.js';
import { type Cell, type Tile, valueAt, type Window } from './grid.js';
import { GridTable } from './gridTable.js';
import { drawCursor, drawPicture, type Margins, type Picture } from './heatmapDrawing.js';
import { movedCell } from './moves.js';
import { exact } from './numbers.js';
import type { ColourScale } from './scale.js';
import { ink } from './theme.js';
import { TileImages } from './tileImages.js';
import { Tools } from './tools.js';
import { useWidth } from './useSize.js';
import { cellAt, clampPan, type Frame, fit, reveal, type Viewport, visible, zoomAt } from './viewport.js';

/** Columns that lie on the token strip's axis (CSS pixels): the strip then zooms and scrolls the picture, and back. */
export interface SharedColumns {
  readonly first: number;
  readonly width: number;
  zoomBy(factor: number, x: number): void;
  scrollBy(pixels: number): void;
  reveal(col: number): void;
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
  /** square (default): cells keep their shape. strip: rows fill the height and only columns zoom (heads × tokens). */
  readonly shape?: 'square' | 'strip';
  /** Largest height and largest fitted cell in CSS pixels. */
  readonly height?: number;
  readonly cell?: number;
  readonly columns?: SharedColumns;
  readonly selected?: Cell | null;
  /** Cursor shared with other pictures of the same grid. */
  readonly cursor?: Signal<Cell | null>;
  /** False where the reading is shown elsewhere. */
  readonly reading?: boolean;
  onSelect?(cell: Cell): void;
  onHover?(cell: Cell | null): void;
  /** What is on screen and its size in device pixels, for sources that load tiles. */
  onViewport?(window: Window, rows: number, cols: number): void;
}

/** Any matrix, from one cell to millions: zoom, pan, cursor by mouse and keys, reading, table twin. */
export function Heatmap(props: HeatmapProps) {
  const { rows, cols, tiles, scale, label, selected = null, columns, onViewport } = props;
  const stage = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const width = useWidth(stage).value;
  const own = useSignal<Cell | null>(null);
  const cursor = props.cursor ?? own;
  const zoomed = useSignal<Viewport | null>(null);
  const asTable = useSignal(false);
  const ratio = devicePixelRatio;
  const margins = useMargins(props, ratio);
  const frame = frameOf(props, width, margins, ratio);
  const fitted = fit(frame);
  const view = columns
    ? { ...fitted, x: -columns.first * columns.width * ratio, cellWidth: columns.width * ratio }
    : zoomed.value && zoomed.value.cellWidth > fitted.cellWidth
      ? clampPan(frame, zoomed.value)
      : fitted;
  const images = useMemo(() => tiles.map((tile) => new TileImages(tile, scale)), [tiles, scale]);
  const { rowLabel, colLabel } = props;
  const picture: Picture = { frame, view, margins, images, tiles, scale, rowLabel, colLabel };
  const drawn = [images, width, frame.height, view.x, view.y, view.cellWidth, view.cellHeight, ink.value, asTable.value];

  useLayoutEffect(() => {
    const context = sized(base.current, frame, margins);
    if (context) drawPicture(context, picture, ratio);
  }, drawn);
  useLayoutEffect(() => {
    const context = sized(over.current, frame, margins);
    if (context) drawCursor(context, picture, cursor.value, selected, ratio);
  }, [...drawn, cursor.value, selected]);
  useEffect(() => {
    if (width > 0) onViewport?.(visible(frame, view), frame.height, frame.width);
  }, [width, view.x, view.y, view.cellWidth, rows, cols]);

  const move = (cell: Cell | null) => {
    if (same(cell, cursor.value)) return;
    cursor.value = cell;
    props.onHover?.(cell);
  };
  const zoom = (factor: number, x = width / 2, y = frame.height / ratio / 2) => {
    if (columns) columns.zoomBy(factor, x);
    else zoomed.value = zoomAt(frame, view, factor, x * ratio - margins.left, y * ratio - margins.top);
  };
  const at = (x: number, y: number) => cellAt(frame, view, x * ratio - margins.left, y * ratio - margins.top);
  const movable = view.cellWidth > fitted.cellWidth || (columns !== undefined && columns.width * cols > width);
  useGestures(stage, {
    movable,
    zoom,
    hover: (x, y) => move(at(x, y)),
    leave: () => move(null),
    pan: (dx, dy) => {
      if (columns) columns.scrollBy(-dx);
      else zoomed.value = clampPan(frame, { ...view, x: view.x + dx * ratio, y: view.y + dy * ratio });
    },
    click: (x, y) => {
      const cell = at(x, y);
      if (cell) props.onSelect?.(cell);
    },
  });
  const goTo = (cell: Cell) => {
    move(cell);
    if (columns) columns.reveal(cell.col);
    else if (zoomed.value) zoomed.value = reveal(frame, view, cell);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const shown = visible(frame, view);
    const moved = movedCell(
      event,
      cursor.value ?? selected ?? { row: 0, col: 0 },
      rows,
      cols,
      Math.max(1, shown.row1 - shown.row0 - 1),
    );
    if (moved) goTo(cursor.value || selected ? moved : { row: 0, col: 0 });
    else if ((event.key === 'Enter' || event.key === ' ') && cursor.value) props.onSelect?.(cursor.value);
    else if (event.key === '+' || event.key === '=') zoom(1.5, ...centre(cursor.value, view, margins, ratio));
    else if (event.key === '-') zoom(1 / 1.5, ...centre(cursor.value, view, margins, ratio));
    else if (event.key === '0') zoomed.value = null;
    else if (event.key === 't') asTable.value = true;
    else if (event.key === 'Escape' && cursor.value) move(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const said = reading(props, cursor.value);
  return (
    <div class={asTable.value ? 'heatmap as-table' : 'heatmap'}>
      <Tools asTable={asTable} zoom={zoom} fit={columns ? undefined : () => (zoomed.value = null)} />
      {asTable.value ? <HeatmapTable {...props} cursor={cursor} close={() => (asTable.value = false)} /> : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its cells */}
      <div
        ref={stage}
        class={movable ? 'heatmap-stage zoomed' : 'heatmap-stage'}
        hidden={asTable.value}
        role="application"
        aria-roledescription="heat map"
        aria-label={`${label}. ${rows} ${props.rowName} rows, ${cols} ${props.colName} columns. Arrow keys walk the cells, t shows a table.`}
        tabIndex={0}
        style={{ height: `${(frame.height + margins.top) / ratio}px` }}
        onKeyDown={onKeyDown}
        onBlur={() => move(null)}
      >
        <canvas ref={base} />
        <canvas ref={over} />
      </div>
      {props.reading !== false && <div class="heatmap-reading">{said || reading(props, selected) || '\u00a0'}</div>}
      <div class="visually-hidden" aria-live="polite">
        {said}
      </div>
    </div>
  );
}

function HeatmapTable({ cursor, close, ...props }: HeatmapProps & { readonly cursor: Signal<Cell | null>; close(): void }) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only the key that leads back
    <div
      onKeyDown={(event) => {
        if (event.key !== 't' && event.key !== 'Escape') return;
        event.stopPropagation();
        close();
      }}
    >
      <GridTable
        {...props}
        rowLabel={props.rowLabel ?? String}
        colLabel={props.colLabel ?? String}
        text={(cell) => textAt(props.tiles, cell)}
        cursor={cursor.value}
        onCursor={(cell) => {
          cursor.value = cell;
        }}
      />
    </div>
  );
}

const textAt = (tiles: readonly Tile[], cell: Cell): string => {
  const value = valueAt(tiles, cell);
  return value === undefined ? '…' : exact(value);
};

const same = (a: Cell | null, b: Cell | null): boolean =>
  a === b || (a !== null && b !== null && a.row === b.row && a.col === b.col);

function reading({ tiles, rowName, colName, describe }: HeatmapProps, cell: Cell | null): string {
  if (!cell) return '';
  const value = valueAt(tiles, cell);
  if (value === undefined) return `${rowName} ${cell.row}, ${colName} ${cell.col}: not loaded`;
  return describe ? describe(cell, value) : `${rowName} ${cell.row}, ${colName} ${cell.col}: ${exact(value)}`;
}

const centre = (cell: Cell | null, view: Viewport, margins: Margins, ratio: number): [] | [number, number] =>
  cell
    ? [
        (margins.left + view.x + (cell.col + 0.5) * view.cellWidth) / ratio,
        (margins.top + view.y + (cell.row + 0.5) * view.cellHeight) / ratio,
      ]
    : [];

function frameOf(
  { rows, cols, shape = 'square', height = 360, cell = 20 }: HeatmapProps,
  width: number,
  margins: Margins,
  ratio: number,
): Frame {
  const room = Math.max(1, Math.round(width * ratio) - margins.left);
  const limits = { width: room, height: Math.round(height * ratio), rows, cols, shape, largest: cell * ratio };
  const fitted =
    shape === 'square' ? fit(limits).cellHeight : Math.max(1, Math.floor(Math.min(limits.height / rows, cell * ratio)));
  return { ...limits, height: Math.max(1, Math.min(limits.height, Math.ceil(fitted * rows))), largest: 64 * ratio };
}

const measure = new OffscreenCanvas(1, 1).getContext('2d');

/** Room for the longest of a sample of labels; none beside pictures on the strip's axis, whose corner must not move. */
function useMargins({ rows, rowLabel, colLabel, columns }: HeatmapProps, ratio: number): Margins {
  return useMemo(() => {
    const top = colLabel ? Math.round(16 * ratio) : 0;
    if (!rowLabel || columns || !measure) return { left: 0, top };
    measure.font = `11px ${ink.value.family}`;
    const step = Math.max(1, Math.floor(rows / 40));
    let widest = 0;
    for (let row = 0; row < rows; row += step) widest = Math.max(widest, measure.measureText(rowLabel(row)).width);
    return { left: Math.round(Math.min(110, widest + 8) * ratio), top };
  }, [rows, rowLabel, colLabel === undefined, columns === undefined, ratio]);
}

function sized(canvas: HTMLCanvasElement | null, frame: Frame, margins: Margins): CanvasRenderingContext2D | null {
  const [width, height] = [frame.width + margins.left, frame.height + margins.top];
  if (!canvas || width < 2) return null;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return canvas.getContext('2d');
}
