import { tickStep } from '../frame/stripDrawing.js';
import { ink } from './theme.js';
import { type Frame, type Viewport, visible } from './viewport.js';

/** Room beside the cells for labels, device pixels. */
export interface Margins {
  readonly left: number;
  readonly top: number;
}

/** What has names beside its cells. */
export interface Labelled {
  readonly frame: Frame;
  readonly view: Viewport;
  readonly margins: Margins;
  readonly rowLabel: ((row: number) => string) | undefined;
  readonly colLabel: ((col: number) => string) | undefined;
}

type Context = CanvasRenderingContext2D;

/** Names of rows and columns, as many as there is room for. */
export function drawLabels(context: Context, picture: Labelled, ratio: number): void {
  context.font = `${11 * ratio}px ${ink.value.family}`;
  context.textBaseline = 'middle';
  if (picture.rowLabel) drawRowLabels(context, picture, picture.rowLabel, ratio);
  context.fillStyle = ink.value.quiet;
  if (picture.colLabel) drawColLabels(context, picture, picture.colLabel, ratio);
}

/** Beside the cells, or with a halo over the first ones where the picture must begin at the strip's edge. */
function drawRowLabels(
  context: Context,
  { frame, view, margins }: Labelled,
  label: (row: number) => string,
  ratio: number,
): void {
  const shown = visible(frame, view);
  const beside = margins.left > 0;
  // All of them where they fit; else few, as ticks.
  const step = view.cellHeight >= 13 * ratio ? 1 : tickStep((26 * ratio) / view.cellHeight);
  context.textAlign = beside ? 'right' : 'left';
  context.fillStyle = beside ? ink.value.quiet : ink.value.text;
  context.strokeStyle = ink.value.paper;
  context.lineWidth = 3 * ratio;
  context.lineJoin = 'round';
  for (let row = Math.ceil(shown.row0 / step) * step; row < shown.row1; row += step) {
    const y = margins.top + view.y + (row + 0.5) * view.cellHeight;
    // Half a label over the lower edge would be cut off.
    if (y < margins.top || y > margins.top + frame.height - 4 * ratio) continue;
    const x = beside ? margins.left - 4 * ratio : 4 * ratio;
    if (!beside) context.strokeText(label(row), x, y);
    context.fillText(label(row), x, y, beside ? x : frame.width);
  }
}

function drawColLabels(
  context: Context,
  { frame, view, margins }: Labelled,
  label: (col: number) => string,
  ratio: number,
): void {
  const shown = visible(frame, view);
  context.textAlign = 'center';
  const widest = Math.max(...[shown.col0, shown.col1 - 1].map((col) => context.measureText(label(col)).width));
  const step = tickStep((widest + 8 * ratio) / view.cellWidth);
  for (let col = Math.ceil(shown.col0 / step) * step; col < shown.col1; col += step) {
    const x = margins.left + view.x + (col + 0.5) * view.cellWidth;
    if (x - widest / 2 < margins.left - 12 * ratio || x + widest / 2 > margins.left + frame.width + 8 * ratio) continue;
    context.fillText(label(col), x, margins.top / 2);
  }
}
