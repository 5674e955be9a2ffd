import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Cell, Tile } from './grid.js';
import { drawPicture, type Picture } from './heatmapDrawing.js';
import type { Margins } from './heatmapLabels.js';
import { drawCursor } from './heatmapMarks.js';
import type { HeatmapProps } from './heatmapProps.js';
import type { ColourScale } from './scale.js';
import { ink } from './theme.js';
import { TileImages } from './tileImages.js';
import { useWidth } from './useSize.js';
import { cellAt, clampPan, type Frame, fitGrid, reveal, type Viewport, visible, zoomAt } from './viewport.js';

export interface HeatmapState {
  readonly base: RefObject<HTMLCanvasElement | null>;
  readonly over: RefObject<HTMLCanvasElement | null>;
  readonly cursor: Signal<Cell | null>;
  /** CSS pixels. */
  readonly height: number;
  /** Cells on screen from top to bottom, less one. */
  readonly page: number;
  /** Whether there is more than is on screen. */
  readonly movable: boolean;
  /** All of these take CSS pixels from the corner of the stage. */
  at(x: number, y: number): Cell | null;
  zoom(factor: number, x?: number, y?: number): void;
  pan(dx: number, dy: number): void;
  showAll(): void;
  goTo(cell: Cell): void;
}

/** Geometry and drawing of a heat map: what it looks like now and how gestures change that. */
export function useHeatmap(props: HeatmapProps, stage: RefObject<HTMLDivElement | null>, hidden: boolean): HeatmapState {
  const { columns, selected = null } = props;
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const width = useWidth(stage).value;
  const own = useSignal<Cell | null>(null);
  const cursor = props.cursor ?? own;
  const zoomed = useSignal<Viewport | null>(null);
  const ratio = devicePixelRatio;
  const margins = useMargins(props, ratio);
  const frame = frameOf(props, width, margins, ratio);
  const fitted = fitGrid(frame);
  const view = viewOf(props, frame, fitted, zoomed.value, ratio);
  useDrawing(props, { frame, view, margins, ratio, base, over, cursor: cursor.value, selected, hidden });
  useEffect(() => {
    if (width > 0) props.onViewport?.(visible(frame, view), frame.height, frame.width);
  }, [width, view.x, view.y, view.cellWidth, props.rows, props.cols]);

  const shown = visible(frame, view);
  const middle = () => {
    const { row, col } = cursor.value ?? { row: (shown.row0 + shown.row1 - 1) / 2, col: (shown.col0 + shown.col1 - 1) / 2 };
    return { x: view.x + (col + 0.5) * view.cellWidth, y: view.y + (row + 0.5) * view.cellHeight };
  };
  return {
    base,
    over,
    cursor,
    height: (frame.height + margins.top) / ratio,
    page: Math.max(1, shown.row1 - shown.row0 - 1),
    movable: columns
      ? columns.width * props.cols > width - margins.left / ratio ||
        (columns.rows !== undefined && columns.width * ratio * props.rows > frame.height)
      : view.cellWidth > fitted.cellWidth,
    at: (x, y) => cellAt(frame, view, x * ratio - margins.left, y * ratio - margins.top),
    zoom: (factor, x, y) => {
      const byKey = x === undefined || y === undefined;
      const point = byKey ? middle() : { x: x * ratio - margins.left, y: y * ratio - margins.top };
      if (columns) {
        columns.zoomBy(factor, point.x / ratio, point.y / ratio);
        return;
      }
      const next = zoomAt(frame, view, factor, point.x, point.y);
      zoomed.value = byKey && cursor.value ? reveal(frame, next, cursor.value) : next;
    },
    pan: (dx, dy) => {
      columns?.scrollBy(-dx);
      columns?.rows?.scrollBy(-dy);
      if (!columns) zoomed.value = clampPan(frame, { ...view, x: view.x + dx * ratio, y: view.y + dy * ratio });
    },
    showAll: () => {
      columns?.rows?.showAll();
      zoomed.value = null;
    },
    goTo: (cell) => {
      columns?.reveal(cell.col);
      columns?.rows?.reveal(cell.row);
      if (!columns && zoomed.value) zoomed.value = reveal(frame, view, cell);
    },
  };
}

interface Drawing extends Pick<HeatmapState, 'base' | 'over'> {
  readonly frame: Frame;
  readonly view: Viewport;
  readonly margins: Margins;
  readonly ratio: number;
  readonly cursor: Cell | null;
  readonly selected: Cell | null;
  readonly hidden: boolean;
}

/** Two layers: the cells are drawn when they change, the cursor on every move. */
function useDrawing(props: HeatmapProps, { frame, view, margins, ratio, base, over, cursor, selected, hidden }: Drawing): void {
  const { tiles, scale, rowLabel, colLabel, lower = false, selectedRow = null, under = null } = props;
  const veil = under !== null;
  const images = useMemo(() => tiles.map((tile) => imagesOf(tile, scale, veil)), [tiles, scale, veil]);
  const picture: Picture = {
    frame,
    view,
    margins,
    images,
    tiles,
    scale,
    rowLabel,
    colLabel,
    lower,
    gaps: props.absent !== undefined,
    under,
  };
  const drawn = [images, frame.width, frame.height, margins, view.x, view.y, view.cellWidth, view.cellHeight, ink.value, hidden];
  useLayoutEffect(() => {
    const context = sized(base.current, frame, margins);
    if (context) drawPicture(context, picture, ratio);
  }, drawn);
  useLayoutEffect(() => {
    const context = sized(over.current, frame, margins);
    if (context) drawCursor(context, picture, { cursor, selected, selectedRow }, ratio);
  }, [...drawn, cursor?.row, cursor?.col, selected?.row, selected?.col, selectedRow]);
}

const painted = new WeakMap<Tile, TileImages>();

/** Each tile is painted once for a scale, however often it comes and goes: whoever keeps the tile keeps its picture. */
function imagesOf(tile: Tile, scale: ColourScale, veil: boolean): TileImages {
  const known = painted.get(tile);
  if (known?.scale === scale && known.veil === veil) return known;
  const images = new TileImages(tile, scale, veil);
  painted.set(tile, images);
  return images;
}

function sized(canvas: HTMLCanvasElement | null, frame: Frame, margins: Margins): CanvasRenderingContext2D | null {
  const [width, height] = [frame.width + margins.left, frame.height + margins.top];
  if (!canvas || frame.width < 2) return null;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return canvas.getContext('2d');
}

function viewOf({ columns }: HeatmapProps, frame: Frame, fitted: Viewport, zoomed: Viewport | null, ratio: number): Viewport {
  if (columns) {
    const cellWidth = columns.width * ratio;
    const x = -columns.first * cellWidth;
    return columns.rows
      ? { x, y: -columns.rows.first * cellWidth, cellWidth, cellHeight: cellWidth }
      : { ...fitted, x, cellWidth };
  }
  return zoomed && zoomed.cellWidth > fitted.cellWidth ? clampPan(frame, zoomed) : fitted;
}

/** Largest cell a person can zoom to, CSS pixels: its number can be read. */
const LARGEST_CELL = 64;

function frameOf(props: HeatmapProps, width: number, margins: Margins, ratio: number): Frame {
  const { rows, cols, columns, shape = 'square', height = 360, cell = 20 } = props;
  const room = Math.max(1, Math.round(width * ratio) - margins.left);
  const limits = { width: room, height: Math.round(height * ratio), rows, cols, shape, largest: cell * ratio };
  const fitted = columns?.rows
    ? columns.width * ratio
    : shape === 'square'
      ? fitGrid(limits).cellHeight
      : Math.max(1, Math.floor(Math.min(limits.height / rows, limits.largest)));
  return { ...limits, height: Math.max(1, Math.min(limits.height, Math.ceil(fitted * rows))), largest: LARGEST_CELL * ratio };
}

const measure = new OffscreenCanvas(1, 1).getContext('2d');

/** Room for the longest of a sample of labels; what the caller leaves beside pictures on the strip's axis, whose corner must not move. */
function useMargins({ rows, rowLabel, colLabel, columns }: HeatmapProps, ratio: number): Margins {
  const left = rowLabel !== undefined && columns === undefined;
  const gutter = columns?.gutter ?? 0;
  return useMemo(() => {
    const top = colLabel ? Math.round(16 * ratio) : 0;
    if (!left || !rowLabel || !measure) return { left: Math.round(gutter * ratio), top };
    measure.font = `11px ${ink.value.family}`;
    const step = Math.max(1, Math.floor(rows / 40));
    let widest = 0;
    for (let row = 0; row < rows; row += step) widest = Math.max(widest, measure.measureText(rowLabel(row)).width);
    return { left: Math.round(Math.min(110, widest + 8) * ratio), top };
  }, [rows, left, gutter, colLabel === undefined, ratio]);
}
