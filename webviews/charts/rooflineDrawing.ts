import { scaleLog } from 'd3-scale';
import { compact } from './numbers.js';
import { ink } from './theme.js';

/** One piece of work: what it computes and reads, and how long that takes. */
export interface RooflinePoint {
  readonly name: string;
  /** Which of the kinds of work it is: its colour. */
  readonly kind: number;
  readonly flops: number;
  readonly bytes: number;
  readonly predicted: number | null;
  readonly measured: number | null;
}

/** What bounds it. */
export interface Roof {
  /** Bytes a second, and operations a second when known. */
  readonly bandwidth: number;
  readonly peak: number | null;
}

type Scale = (value: number) => number;

export interface Plot extends Roof {
  readonly x: Scale & { ticks(count: number): number[]; domain(): number[] };
  readonly y: Scale & { ticks(count: number): number[]; domain(): number[] };
  readonly width: number;
  readonly height: number;
}

const MARGIN = { left: 52, right: 12, top: 8, bottom: 22 } as const;
const RADIUS = 4;
const NEAR = 24;

const speeds = ({ flops, predicted, measured }: RooflinePoint): number[] =>
  [predicted, measured].flatMap((seconds) => (seconds === null || seconds === 0 ? [] : [flops / seconds]));

/** Axes wide enough for every point and for the place where the roof bends. */
export function plotOf({ bandwidth, peak }: Roof, points: readonly RooflinePoint[], width: number, height: number): Plot {
  const intensities = points.map(({ flops, bytes }) => flops / bytes);
  const bend = peak === null ? [] : [peak / bandwidth];
  const xs = [...intensities, ...bend, 1];
  const [left, right] = [Math.min(...xs) / 2, Math.max(...xs) * 4];
  const ys = [...points.flatMap(speeds), ...(peak === null ? [bandwidth * right] : [peak])];
  const [low, high] = [Math.min(...ys) / 2, Math.max(...ys) * 2];
  return {
    x: scaleLog([left, right], [MARGIN.left, width - MARGIN.right]),
    y: scaleLog([low, high], [height - MARGIN.bottom, MARGIN.top]),
    width,
    height,
    bandwidth,
    peak,
  };
}

export function drawRoofline(
  context: CanvasRenderingContext2D,
  plot: Plot,
  points: readonly RooflinePoint[],
  cursor: number | null,
): void {
  drawAxes(context, plot);
  drawRoof(context, plot);
  for (const [i, point] of points.entries()) if (i !== cursor) drawPoint(context, plot, point, false);
  const at = cursor === null ? undefined : points[cursor];
  if (at) drawPoint(context, plot, at, true);
}

/** Powers of ten, and between them where there is room. */
const ticks = (scale: Plot['x']): number[] => {
  const all = scale.ticks(8).filter((value) => Math.abs(Math.log10(value) % 1) < 1e-9);
  return all.length > 1 ? all : scale.ticks(4);
};

function drawAxes(context: CanvasRenderingContext2D, { x, y, width, height }: Plot): void {
  const { quiet, line, small } = ink.value;
  context.font = small;
  context.fillStyle = quiet;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  for (const value of ticks(x)) {
    const at = Math.round(x(value)) + 0.5;
    context.beginPath();
    context.moveTo(at, MARGIN.top);
    context.lineTo(at, height - MARGIN.bottom);
    context.stroke();
    context.textAlign = 'center';
    context.fillText(compact(value), at, height - MARGIN.bottom / 2);
  }
  for (const value of ticks(y)) {
    const at = Math.round(y(value)) + 0.5;
    context.beginPath();
    context.moveTo(MARGIN.left, at);
    context.lineTo(width - MARGIN.right, at);
    context.stroke();
    context.textAlign = 'right';
    context.fillText(`${compact(value / 1e9)} G`, MARGIN.left - 5, at);
  }
}

/** As fast as memory gives, up to as fast as anything is computed. */
function drawRoof(context: CanvasRenderingContext2D, { x, y, bandwidth, peak }: Plot): void {
  const [left, right] = x.domain() as [number, number];
  const [low] = y.domain() as [number];
  const from = Math.max(left, low / bandwidth);
  context.strokeStyle = ink.value.text;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x(from), y(from * bandwidth));
  const bend = peak === null ? right : Math.min(right, peak / bandwidth);
  context.lineTo(x(bend), y(bend * bandwidth));
  if (peak !== null) context.lineTo(x(right), y(peak));
  context.stroke();
}

function drawPoint(context: CanvasRenderingContext2D, { x, y }: Plot, point: RooflinePoint, marked: boolean): void {
  const { flops, bytes, predicted, measured, kind } = point;
  const { series, text, paper } = ink.value;
  const colour = series[kind] ?? text;
  const at = x(flops / bytes);
  const place = (seconds: number | null) => (seconds === null || seconds === 0 ? null : y(flops / seconds));
  const [expected, seen] = [place(predicted), place(measured)];
  context.strokeStyle = marked ? text : colour;
  context.lineWidth = marked ? 2.5 : 1.5;
  if (expected !== null && seen !== null) {
    context.beginPath();
    context.moveTo(at, expected);
    context.lineTo(at, seen);
    context.stroke();
  }
  const dot = (top: number, fill: string) => {
    context.beginPath();
    context.arc(at, top, marked ? RADIUS + 1.5 : RADIUS, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
    context.stroke();
  };
  if (expected !== null) dot(expected, paper);
  if (seen !== null) dot(seen, colour);
}

/** The point under the pointer, or close to it. */
export function nearestPoint({ x, y }: Plot, points: readonly RooflinePoint[], left: number, top: number): number | null {
  let best: number | null = null;
  let nearest = NEAR;
  for (const [i, point] of points.entries())
    for (const speed of speeds(point)) {
      const distance = Math.hypot(x(point.flops / point.bytes) - left, y(speed) - top);
      if (distance < nearest) [nearest, best] = [distance, i];
    }
  return best;
}
