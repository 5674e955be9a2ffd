import type { Cell } from './grid.js';
import type { Picture } from './heatmapDrawing.js';
import { ink } from './theme.js';
import type { Viewport } from './viewport.js';

type Context = CanvasRenderingContext2D;

export interface Marks {
  readonly cursor: Cell | null;
  readonly selected: Cell | null;
  readonly selectedRow: number | null;
}

/** Selection (solid, two-toned, seen on every colour) and cursor with its crosshair. */
export function drawCursor(context: Context, picture: Picture, marks: Marks, ratio: number): void {
  const { cursor, selected, selectedRow } = marks;
  const { frame, view, margins } = picture;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.translate(margins.left, margins.top);
  context.beginPath();
  context.rect(-margins.left, -margins.top, frame.width + margins.left, frame.height + margins.top);
  context.clip();
  if (selectedRow !== null) outlineRow(context, picture, selectedRow, ratio);
  if (cursor) {
    const x = view.x + (cursor.col + 0.5) * view.cellWidth;
    const y = view.y + (cursor.row + 0.5) * view.cellHeight;
    context.fillStyle = ink.value.text;
    context.globalAlpha = 0.35;
    context.fillRect(Math.round(x), 0, ratio, Math.max(0, y - view.cellHeight / 2));
    context.fillRect(0, Math.round(y), Math.max(0, x - view.cellWidth / 2), ratio);
    context.globalAlpha = 1;
    outline(context, view, cursor, ink.value.text, ratio);
  }
  if (selected) outline(context, view, selected, ink.value.focus, 2 * ratio);
}

function outlineRow(context: Context, { frame, view, lower }: Picture, row: number, ratio: number): void {
  const height = Math.max(view.cellHeight, 2 * ratio);
  const y = view.y + (row + 0.5) * view.cellHeight - height / 2;
  const right = view.x + (lower ? row + 1 : frame.cols) * view.cellWidth;
  context.strokeStyle = ink.value.focus;
  context.lineWidth = ratio;
  context.strokeRect(Math.round(view.x) - 0.5, Math.round(y) - 0.5, right - view.x, height);
}

function outline(context: Context, view: Viewport, cell: Cell, colour: string, line: number): void {
  const width = Math.max(view.cellWidth, 3 * line);
  const height = Math.max(view.cellHeight, 3 * line);
  const x = Math.round(view.x + (cell.col + 0.5) * view.cellWidth - width / 2);
  const y = Math.round(view.y + (cell.row + 0.5) * view.cellHeight - height / 2);
  context.lineWidth = line;
  context.strokeStyle = ink.value.paper;
  context.strokeRect(x - 1.5 * line, y - 1.5 * line, width + 2 * line, height + 2 * line);
  context.strokeStyle = colour;
  context.strokeRect(x - 0.5 * line, y - 0.5 * line, width, height);
}
