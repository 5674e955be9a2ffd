import type { Point } from './layout.js';

/** What pictures of graphs are made of; a canvas and an SVG file draw the same. */
export interface Pen {
  rect(
    x: number,
    y: number,
    width: number,
    height: number,
    look: { fill?: string; stroke?: string; line?: number; radius?: number },
  ): void;
  /** Rounded at its corners. */
  path(points: readonly Point[], look: { stroke: string; line: number; dashed: boolean }): void;
  /** A triangle that points down at `tip`, or towards `from`'s opposite. */
  arrow(tip: Point, from: Point, fill: string): void;
  text(x: number, y: number, text: string, look: { fill: string; title: boolean; right?: boolean }): void;
}

export const TITLE = 12;
export const SMALL = 11;
const BEND = 8;

/** Radius at a corner: beside a short piece smaller, as the line would run over its end and come back. */
function bend(before: Point, corner: Point, after: Point): number {
  const [ax, ay, bx, by] = [before.x - corner.x, before.y - corner.y, after.x - corner.x, after.y - corner.y];
  const [a, b] = [Math.hypot(ax, ay), Math.hypot(bx, by)];
  if (a === 0 || b === 0) return 0;
  const cosine = (ax * bx + ay * by) / (a * b);
  return Math.min(BEND, (Math.min(a, b) / 2) * Math.sqrt((1 - cosine) / (1 + cosine)));
}

const font = (family: string, title: boolean): string => `${title ? `600 ${TITLE}px` : `${SMALL}px`} ${family}`;

export const canvasPen = (context: CanvasRenderingContext2D, family: string): Pen => ({
  rect(x, y, width, height, { fill, stroke, line = 1, radius = 2 }) {
    context.beginPath();
    context.roundRect(x, y, width, height, radius);
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (!stroke) return;
    context.strokeStyle = stroke;
    context.lineWidth = line;
    context.stroke();
  },
  path(points, { stroke, line, dashed }) {
    const [first, ...rest] = points;
    if (!first) return;
    context.beginPath();
    context.moveTo(first.x, first.y);
    for (const [i, point] of rest.entries()) {
      const next = rest[i + 1];
      if (next) context.arcTo(point.x, point.y, next.x, next.y, bend(points[i] as Point, point, next));
      else context.lineTo(point.x, point.y);
    }
    context.strokeStyle = stroke;
    context.lineWidth = line;
    context.setLineDash(dashed ? [4, 3] : []);
    context.stroke();
    context.setLineDash([]);
  },
  arrow(tip, from, fill) {
    const [a, b] = arrowWings(tip, from);
    context.beginPath();
    context.moveTo(tip.x, tip.y);
    context.lineTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.fillStyle = fill;
    context.fill();
  },
  text(x, y, text, { fill, title, right = false }) {
    context.font = font(family, title);
    context.fillStyle = fill;
    context.textAlign = right ? 'right' : 'left';
    context.textBaseline = 'middle';
    context.fillText(text, x, y);
  },
});

/** Width of a text as the canvas writes it. */
export function measurer(family: string): (text: string, title: boolean) => number {
  const context = new OffscreenCanvas(1, 1).getContext('2d') as OffscreenCanvasRenderingContext2D;
  const known = new Map<string, number>();
  return (text, title) => {
    const key = `${title} ${text}`;
    const width = known.get(key);
    if (width !== undefined) return width;
    context.font = font(family, title);
    const measured = context.measureText(text).width;
    known.set(key, measured);
    return measured;
  };
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const digits = (n: number): string => String(Math.round(n * 10) / 10);

/** Collects the parts of an SVG picture. */
export class SvgPen implements Pen {
  readonly #parts: string[] = [];

  constructor(private readonly family: string) {}

  rect: Pen['rect'] = (x, y, width, height, { fill, stroke, line = 1, radius = 2 }) => {
    const place = `x="${digits(x)}" y="${digits(y)}" width="${digits(width)}" height="${digits(height)}" rx="${radius}"`;
    this.#parts.push(`<rect ${place} fill="${fill ?? 'none'}"${stroke ? ` stroke="${stroke}" stroke-width="${line}"` : ''}/>`);
  };

  path: Pen['path'] = (points, { stroke, line, dashed }) => {
    const d = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${digits(x)} ${digits(y)}`).join('');
    const style = `fill="none" stroke="${stroke}" stroke-width="${line}" stroke-linejoin="round"`;
    this.#parts.push(`<path d="${d}" ${style}${dashed ? ' stroke-dasharray="4 3"' : ''}/>`);
  };

  arrow: Pen['arrow'] = (tip, from, fill) => {
    const corners = [tip, ...arrowWings(tip, from)].map(({ x, y }) => `${digits(x)},${digits(y)}`).join(' ');
    this.#parts.push(`<polygon points="${corners}" fill="${fill}"/>`);
  };

  text: Pen['text'] = (x, y, text, { fill, title, right = false }) => {
    const weight = title ? ` font-weight="600" font-size="${TITLE}"` : ` font-size="${SMALL}"`;
    const anchor = right ? ' text-anchor="end"' : '';
    this.#parts.push(
      `<text x="${digits(x)}" y="${digits(y)}" dominant-baseline="central" fill="${fill}"${weight}${anchor}>${escaped(text)}</text>`,
    );
  };

  file(width: number, height: number, paper: string): string {
    const size = `width="${digits(width)}" height="${digits(height)}" viewBox="0 0 ${digits(width)} ${digits(height)}"`;
    const ground = `<rect width="100%" height="100%" fill="${paper}"/>`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${escaped(this.family)}">${ground}${this.#parts.join('\n')}</svg>\n`;
  }
}

const WING = 4;

function arrowWings(tip: Point, from: Point): [Point, Point] {
  const length = Math.hypot(tip.x - from.x, tip.y - from.y) || 1;
  const [dx, dy] = [(tip.x - from.x) / length, (tip.y - from.y) / length];
  const base = { x: tip.x - dx * 6, y: tip.y - dy * 6 };
  return [
    { x: base.x - dy * WING, y: base.y + dx * WING },
    { x: base.x + dy * WING, y: base.y - dx * WING },
  ];
}
