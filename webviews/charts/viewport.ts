import type { Cell, Window } from './grid.js';

/** Size of the drawing area in device pixels, and of the grid in cells. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly cols: number;
  /** square: cells keep their shape. strip: rows fill the height and only columns zoom (heads × tokens). */
  readonly shape: 'square' | 'strip';
  /** Largest cell in device pixels. */
  readonly largest: number;
}

/** Where the grid lies: device pixels of its corner and of one cell. */
export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Cells that can be seen one by one get whole pixels, so that all look equally large. */
const whole = (size: number): number => (size >= 2 ? Math.floor(size) : size);

/** The whole grid. */
export function fitGrid(frame: Frame): Viewport {
  const { width, height, rows, cols } = frame;
  if (frame.shape === 'strip') return { x: 0, y: 0, cellWidth: width / cols, cellHeight: height / rows };
  const cell = whole(Math.min(width / cols, height / rows, frame.largest));
  return { x: 0, y: 0, cellWidth: cell, cellHeight: cell };
}

/** No empty border appears where there is more to see. */
export function clampPan(frame: Frame, view: Viewport): Viewport {
  const along = (at: number, size: number, room: number) => Math.round(Math.min(0, Math.max(at, room - size)));
  return {
    ...view,
    x: along(view.x, view.cellWidth * frame.cols, frame.width),
    y: along(view.y, view.cellHeight * frame.rows, frame.height),
  };
}

/** Zooms by `factor` so that the point (device pixels) stays where it is. */
export function zoomAt(frame: Frame, view: Viewport, factor: number, pointX: number, pointY: number): Viewport {
  const least = fitGrid(frame);
  const strip = frame.shape === 'strip';
  const wished = Math.min(view.cellWidth * factor, Math.max(frame.largest, least.cellWidth));
  // Whole pixels must not swallow a small step.
  const stepped = factor > 1 ? Math.max(whole(wished), wished >= 2 ? Math.floor(view.cellWidth) + 1 : wished) : whole(wished);
  const cellWidth = Math.max(least.cellWidth, Math.min(stepped, Math.max(frame.largest, least.cellWidth)));
  const cellHeight = strip ? least.cellHeight : cellWidth;
  return clampPan(frame, {
    x: pointX - ((pointX - view.x) * cellWidth) / view.cellWidth,
    y: pointY - ((pointY - view.y) * cellHeight) / view.cellHeight,
    cellWidth,
    cellHeight,
  });
}

/** Moves as little as needed to show a cell with its neighbours. */
export function reveal(frame: Frame, view: Viewport, cell: Cell): Viewport {
  const along = (at: number, index: number, size: number, room: number) => {
    const start = at + (index - 1) * size;
    const end = at + (index + 2) * size;
    if (start < 0) return at - start;
    return end > room ? at - (end - room) : at;
  };
  return clampPan(frame, {
    ...view,
    x: along(view.x, cell.col, view.cellWidth, frame.width),
    y: along(view.y, cell.row, view.cellHeight, frame.height),
  });
}

export function cellAt(frame: Frame, view: Viewport, x: number, y: number): Cell | null {
  const col = Math.floor((x - view.x) / view.cellWidth);
  const row = Math.floor((y - view.y) / view.cellHeight);
  return row >= 0 && row < frame.rows && col >= 0 && col < frame.cols ? { row, col } : null;
}

/** Cells of which at least a part is on screen. */
export function visible(frame: Frame, view: Viewport): Window {
  const from = (at: number, size: number) => Math.max(0, Math.floor(-at / size));
  const to = (at: number, size: number, room: number, count: number) => Math.min(count, Math.ceil((room - at) / size));
  return {
    row0: from(view.y, view.cellHeight),
    row1: to(view.y, view.cellHeight, frame.height, frame.rows),
    col0: from(view.x, view.cellWidth),
    col1: to(view.x, view.cellWidth, frame.width, frame.cols),
  };
}
