import { scaleLinear, scaleLog } from 'd3-scale';
import type { SharedColumns } from './heatmapProps.js';
import { ink } from './theme.js';

export interface Line {
  readonly label: string;
  /** One value a token; what is not finite is a gap. */
  readonly values: ArrayLike<number>;
  text(value: number): string;
}

/** What is drawn over which tokens. */
export interface DrawnSeries {
  /** Keep the array between renders. */
  readonly lines: readonly Line[];
  /** The token strip's axis. */
  readonly columns: SharedColumns;
  readonly hovered: number | null;
  readonly selected: number | null;
  readonly log?: boolean;
}

type Context = CanvasRenderingContext2D;
type Ends = readonly [lo: number, hi: number];

/** Magnitudes stand on 0; what goes below it gets its own floor; a log axis begins at the smallest positive value. */
export function rangeOf(lines: readonly Line[], log: boolean): Ends {
  let [lo, hi] = [log ? Infinity : 0, log ? 0 : -Infinity];
  for (const { values } of lines) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? Number.NaN;
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      lo = Math.min(lo, value);
      hi = Math.max(hi, value);
    }
  }
  if (log) return hi > 0 ? [lo, hi === lo ? lo * 10 : hi] : [1, 10];
  return hi > lo ? [lo, hi] : [lo, lo + 1];
}

/** Width per token in CSS pixels from which each value is a dot. */
const DOTS_FROM = 7;
const MARGIN = 4;

/** Lines over the tokens on screen, over bands at the selected one and the one pointed at. */
export function drawSeries(context: Context, width: number, height: number, props: DrawnSeries, ends: Ends): void {
  const { lines, columns, hovered, selected, log = false } = props;
  const band = (token: number, colour: string, opacity: number) => {
    context.globalAlpha = opacity;
    context.fillStyle = colour;
    context.fillRect((token - columns.first) * columns.width, 0, Math.max(1, columns.width - 1), height);
    context.globalAlpha = 1;
  };
  if (hovered !== null) band(hovered, ink.value.text, 0.18);
  if (selected !== null) band(selected, ink.value.focus, 0.45);
  const y = (log ? scaleLog() : scaleLinear()).domain(ends).range([height - MARGIN, MARGIN]);
  lines.forEach((line, index) => {
    context.strokeStyle = ink.value.series[index % ink.value.series.length] ?? ink.value.text;
    context.fillStyle = context.strokeStyle;
    context.lineWidth = 1.5;
    if (columns.width >= 1) drawLine(context, width, line, columns, y);
    else drawEnvelope(context, width, line, columns, y);
  });
}

/** Values stand in the middle of their token; one that is not finite is a gap. */
function drawLine(
  context: Context,
  width: number,
  { values }: Line,
  { first, width: step }: SharedColumns,
  y: (value: number) => number,
): void {
  const from = Math.max(0, Math.floor(first) - 1);
  const to = Math.min(values.length, Math.ceil(first + width / step) + 1);
  const dots = step >= DOTS_FROM || values.length === 1;
  const dot = values.length === 1 ? 5 : 3;
  context.beginPath();
  let joined = false;
  for (let token = from; token < to; token++) {
    const value = values[token] ?? Number.NaN;
    const x = (token + 0.5 - first) * step;
    if (Number.isFinite(value)) context[joined ? 'lineTo' : 'moveTo'](x, y(value));
    joined = Number.isFinite(value);
    if (joined && dots) context.fillRect(x - dot / 2, y(value) - dot / 2, dot, dot);
  }
  context.stroke();
}

/** Several tokens share a pixel: from their least to their largest value, so that no spike is lost. */
function drawEnvelope(
  context: Context,
  width: number,
  { values }: Line,
  { first, width: step }: SharedColumns,
  y: (value: number) => number,
): void {
  for (let x = 0; x < width; x++) {
    let [lo, hi] = [Infinity, -Infinity];
    for (let token = Math.floor(first + x / step); token <= first + (x + 1) / step && token < values.length; token++) {
      const value = values[token] ?? Number.NaN;
      if (!Number.isFinite(value)) continue;
      lo = Math.min(lo, value);
      hi = Math.max(hi, value);
    }
    if (hi >= lo) context.fillRect(x, y(hi) - 0.75, 1, y(lo) - y(hi) + 1.5);
  }
}
