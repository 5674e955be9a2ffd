import type { Drawn, Found } from './drawn.js';
import { visitBoxes } from './drawn.js';
import type { LaidWire, Point } from './layout.js';
import type { Pen } from './pen.js';
import { LINE, TWISTY } from './segmentBox.js';
import { normText, type Tone } from './text.js';
import { portValue } from './wiring.js';

/** Colours of a picture, from the theme. */
export interface GraphInk {
  readonly text: string;
  readonly quiet: string;
  readonly paper: string;
  readonly line: string;
  readonly focus: string;
  readonly tones: Readonly<Record<Tone, string>>;
}

export interface Picture {
  readonly root: Drawn;
  readonly ink: GraphInk;
  readonly selected: string | null;
  readonly hovered: string | null;
  /** Boxes that match the search. */
  readonly marked: ReadonlySet<string>;
  /** L2 norm of a value of a segment, by the segment's id; null when it is not known. */
  readonly norm: (segment: string, value: number) => number | null;
}

export interface Clip {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** Screen pixels for one unit. */
  readonly scale: number;
}

/** Below this many screen pixels a line of text is not written, and nothing in a box is drawn. */
const READABLE = 7;
/** About the width of a small letter. */
const PORT_LETTER = 6;
const SMALLEST = 3;

/** Draws what the clip shows and skips the rest; returns how many boxes that was. */
export function drawGraph(pen: Pen, picture: Picture, clip: Clip): number {
  let drawn = 0;
  visitBoxes(picture.root, (found) => {
    const { box, x, y } = found;
    if (x > clip.right || y > clip.bottom || x + box.width < clip.left || y + box.height < clip.top) return false;
    if (found.around.length > 0) drawBox(pen, picture, found, clip.scale);
    drawn++;
    const deep = box.inner !== null && Math.min(box.width, box.height) * clip.scale > SMALLEST * 4;
    if (deep && box.inner) drawWires(pen, picture, found, clip);
    return deep;
  });
  return drawn;
}

function drawBox(pen: Pen, picture: Picture, { id, box, x, y, around }: Found, scale: number): void {
  const { ink, selected, hovered, marked } = picture;
  const { label, inner, shape } = box;
  const outlined = id === selected || marked.has(id);
  const stroke = outlined ? ink.focus : id === hovered ? ink.text : ink.line;
  pen.rect(x, y, box.width, box.height, {
    fill: ink.paper,
    stroke,
    line: id === selected ? 2 / Math.min(1, scale) : 1,
    radius: shape === 'pill' ? 9 : 2,
  });
  const bar = shape === 'pill' ? 0 : 3;
  if (bar > 0 && !inner) pen.rect(x, y, bar, box.height, { fill: ink.tones[label.tone], radius: 1 });
  if (LINE * scale < READABLE) return;
  const [left, top] = [x + 8, y + 4 + LINE / 2];
  if (box.expandable) pen.text(left, top, inner ? '▾' : '▸', { fill: ink.quiet, title: true });
  pen.text(left + (box.expandable ? TWISTY : 0), top, label.title, { fill: ink.text, title: true });
  if (inner) return;
  for (const [i, line] of label.lines.entries())
    pen.text(left, y + 4 + LINE * (i + 1.5), line, { fill: ink.quiet, title: false });
  const segment = around.find((outer) => outer.box.segment);
  const norm = segment && label.value !== null ? picture.norm(segment.id, label.value) : null;
  if (norm === null) return;
  const last = y + 4 + LINE * (label.lines.length + 0.5);
  pen.text(x + box.width - 8, last, normText(norm), { fill: ink.text, title: false, right: true });
}

function drawWires(pen: Pen, { ink, selected }: Picture, { box, x, y, id }: Found, clip: Clip): void {
  const { wires, spine, ports, children } = box.inner as NonNullable<Drawn['inner']>;
  const open = new Set(children.flatMap(({ box: child }) => (child.inner ? [child.id] : [])));
  const name = (end: string) => (end.startsWith('/') ? `${segmentOf(id)}${end}` : end);
  for (const wire of wires) {
    const points = wire.points.map((point) => ({ x: point.x + x, y: point.y + y }));
    if (outside(points, clip)) continue;
    const touched = selected !== null && (name(wire.from) === selected || name(wire.to) === selected);
    const stroke = touched ? ink.focus : spine(wire.value) ? ink.text : ink.quiet;
    const line = (spine(wire.value) ? 2 : 1) * (touched ? 1.5 : 1);
    pen.path(points, { stroke, line, dashed: wire.back });
    if (!open.has(wire.to)) arrowHead(pen, wire, points, stroke);
  }
  if (LINE * clip.scale < READABLE) return;
  let free = Number.NEGATIVE_INFINITY;
  for (const port of ports) {
    // a name that has no room is left out: the wire leads to where it is written
    if (port.x < free) continue;
    pen.text(x + port.x + 5, y + 10 + LINE * 0.6, port.name, { fill: ink.quiet, title: false });
    free = port.x + 12 + port.name.length * PORT_LETTER;
  }
}

const segmentOf = (id: string): string => id.split('/')[0] as string;

function outside(points: readonly Point[], { left, top, right, bottom }: Clip): boolean {
  return (
    points.every(({ x }) => x < left) ||
    points.every(({ x }) => x > right) ||
    points.every(({ y }) => y < top) ||
    points.every(({ y }) => y > bottom)
  );
}

/** Where something is read; at a border the wire goes on. */
function arrowHead(pen: Pen, { to }: LaidWire, points: readonly Point[], fill: string): void {
  const [before, tip] = points.slice(-2) as [Point, Point];
  if (portValue(to) === null && to !== '') pen.arrow(tip, before, fill);
}
