import { type Tile, valueAt } from './grid.js';
import { drawLabels, type Labelled } from './heatmapLabels.js';
import { compact } from './numbers.js';
import type { ColourScale } from './scale.js';
import { ink } from './theme.js';
import type { TileImages } from './tileImages.js';
import { type Frame, type Viewport, visible } from './viewport.js';

export interface Picture extends Labelled {
  readonly images: readonly TileImages[];
  readonly tiles: readonly Tile[];
  readonly scale: ColourScale;
  readonly lower: boolean;
  /** Whether cells may lack a value for good: they are hatched. */
  readonly gaps: boolean;
  readonly under: CanvasImageSource | null;
}

type Context = CanvasRenderingContext2D;

/** Sizes in CSS pixels from which a cell has a border, a hatch, its number in it. */
const BORDER_FROM = 10;
const HATCH_FROM = 4;
const NUMBER_FROM = 42;

/** Everything that does not move with the cursor. `ratio` is device pixels a CSS pixel. */
export function drawPicture(context: Context, picture: Picture, ratio: number): void {
  const { frame, view, margins } = picture;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.save();
  context.translate(margins.left, margins.top);
  context.beginPath();
  context.rect(0, 0, frame.width, frame.height);
  context.clip();
  if (picture.lower) context.clip(lowerCells(frame, view));
  if (picture.gaps) drawGaps(context, picture, ratio);
  if (picture.under) {
    context.imageSmoothingEnabled = false;
    context.drawImage(picture.under, view.x, view.y, frame.cols * view.cellWidth, frame.rows * view.cellHeight);
  }
  for (const images of picture.images) drawTile(context, frame, view, images);
  if (Math.min(view.cellWidth, view.cellHeight) >= HATCH_FROM * ratio) drawDetails(context, picture, ratio);
  if (!picture.gaps && !picture.lower) drawEdge(context, picture, ratio);
  context.restore();
  drawLabels(context, picture, ratio);
}

/** Staircase of the cells at or below the diagonal; of cells too small to be seen several make a step. */
function lowerCells(frame: Frame, view: Viewport): Path2D {
  const path = new Path2D();
  const shown = visible(frame, view);
  const step = Math.max(1, Math.round(1 / view.cellHeight));
  path.moveTo(view.x, view.y + shown.row0 * view.cellHeight);
  for (let row = shown.row0; row < shown.row1; row += step) {
    const right = view.x + (row + step) * view.cellWidth;
    path.lineTo(right, view.y + row * view.cellHeight);
    path.lineTo(right, view.y + (row + step) * view.cellHeight);
  }
  path.lineTo(view.x, view.y + shown.row1 * view.cellHeight);
  path.closePath();
  return path;
}

/** What is not there for good is hatched; cells are drawn over it. */
function drawGaps(context: Context, { frame, view }: Picture, ratio: number): void {
  const left = Math.max(0, view.x);
  const right = Math.min(frame.width, view.x + frame.cols * view.cellWidth);
  hatch(context, left, view.y, right - left, frame.rows * view.cellHeight, ink.value.line, 7 * ratio);
}

/** A picture of zeros has the colour of the page: its edge shows that it is there. */
function drawEdge(context: Context, { frame, view }: Picture, ratio: number): void {
  context.strokeStyle = ink.value.line;
  context.lineWidth = ratio;
  const [width, height] = [frame.cols * view.cellWidth, frame.rows * view.cellHeight];
  context.strokeRect(view.x + ratio / 2, view.y + ratio / 2, width - ratio, height - ratio);
}

function drawTile(context: Context, frame: Frame, view: Viewport, images: TileImages): void {
  const shown = visible(frame, view);
  const { source, canvas } = images.at(view.cellWidth, view.cellHeight, shown);
  if (source.rows === 0 || source.cols === 0) return;
  const perRow = (source.row1 - source.row0) / source.rows;
  const perCol = (source.col1 - source.col0) / source.cols;
  const c0 = Math.max(0, Math.floor((shown.col0 - source.col0) / perCol));
  const c1 = Math.min(source.cols, Math.ceil((shown.col1 - source.col0) / perCol));
  const r0 = Math.max(0, Math.floor((shown.row0 - source.row0) / perRow));
  const r1 = Math.min(source.rows, Math.ceil((shown.row1 - source.row0) / perRow));
  if (c1 <= c0 || r1 <= r0) return;
  const x = view.x + (source.col0 + c0 * perCol) * view.cellWidth;
  const y = view.y + (source.row0 + r0 * perRow) * view.cellHeight;
  // Pixels smaller than a device pixel are averaged, larger ones stay sharp squares.
  context.imageSmoothingEnabled = perCol * view.cellWidth < 1 || perRow * view.cellHeight < 1;
  // Whole device pixels: between tiles that meet there is no seam.
  const [left, top] = [Math.round(x), Math.round(y)];
  const width = Math.round(x + (c1 - c0) * perCol * view.cellWidth) - left;
  const height = Math.round(y + (r1 - r0) * perRow * view.cellHeight) - top;
  context.drawImage(canvas, c0, r0, c1 - c0, r1 - r0, left, top, Math.max(1, width), Math.max(1, height));
}

/** Borders, hatched cells that hold no finite number, and numbers where a cell is large enough. */
function drawDetails(context: Context, { frame, view, tiles, scale }: Picture, ratio: number): void {
  const shown = visible(frame, view);
  const numbers = view.cellWidth >= NUMBER_FROM * ratio && view.cellHeight >= 13 * ratio;
  context.font = `${10 * ratio}px ${ink.value.family}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = ratio;
  for (let row = shown.row0; row < shown.row1; row++) {
    for (let col = shown.col0; col < shown.col1; col++) {
      const value = valueAt(tiles, { row, col });
      if (value === undefined) continue;
      const x = view.x + col * view.cellWidth;
      const y = view.y + row * view.cellHeight;
      if (!Number.isFinite(value)) hatch(context, x, y, view.cellWidth, view.cellHeight, ink.value.paper, 4);
      if (!numbers) continue;
      context.fillStyle = contrast(scale, value);
      context.fillText(compact(value), x + view.cellWidth / 2, y + view.cellHeight / 2, view.cellWidth - 2 * ratio);
    }
  }
  if (Math.min(view.cellWidth, view.cellHeight) < BORDER_FROM * ratio) return;
  context.fillStyle = ink.value.paper;
  for (let col = shown.col0; col <= shown.col1; col++)
    context.fillRect(Math.round(view.x + col * view.cellWidth) - 1, 0, 1, frame.height);
  for (let row = shown.row0; row <= shown.row1; row++)
    context.fillRect(0, Math.round(view.y + row * view.cellHeight) - 1, frame.width, 1);
}

function hatch(context: Context, x: number, y: number, width: number, height: number, colour: string, step: number): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let at = -height; at < width; at += step) {
    context.moveTo(x + at, y + height);
    context.lineTo(x + at + height, y);
  }
  context.stroke();
  context.restore();
}

/** Black or white, whichever is read better on the cell's colour. */
function contrast(scale: ColourScale, value: number): string {
  const position = scale.position(value);
  if (Number.isNaN(position)) return '#fff';
  const at = 4 * Math.round(position * 255);
  const [r = 0, g = 0, b = 0] = scale.table.subarray(at, at + 3);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#000' : '#fff';
}
