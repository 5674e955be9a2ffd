import type { LaidWire, Layout, Point, Size } from './layout.js';
import { PADDING } from './layout.js';
import { portValue } from './wiring.js';

/** Between what hangs off the stream and the stream. */
const GAP = 26;
/** Above a box that reads from the stream, where its tap leaves it. */
const TAP = 12;
/** Above a box on the stream, where what is written to it comes from the side, between the layers. */
const JOIN = 8;

interface Box extends Size {
  readonly id: string;
}

/**
 * Draws the residual stream as a straight line to the right of everything that hangs off it: the boxes that write to it stand on the line, what
 * reads from it taps it at its own height. A layout without a stream stays as it is.
 */
export function onRail(layout: Layout, children: readonly Box[], isSpine: (value: number) => boolean): Layout {
  const writers = new Set(layout.wires.filter((wire) => isSpine(wire.value) && !wire.back).map(({ from }) => from));
  const onLine = children.filter(({ id }) => writers.has(id));
  if (onLine.length === 0) return layout;
  const others = children.filter(({ id }) => !writers.has(id));
  const place = (id: string) => layout.places.get(id) as Point;
  const right = Math.max(
    PADDING.side,
    ...others.map(({ id, width }) => place(id).x + width),
    ...layout.wires
      .filter((wire) => !isSpine(wire.value))
      .flatMap(({ points, to }) => (writers.has(to) ? points.slice(0, -1) : points).map(({ x }) => x)),
  );
  const widest = Math.max(...onLine.map(({ width }) => width));
  const x = right + GAP + widest / 2;
  const places = new Map(layout.places);
  for (const { id, width } of onLine) places.set(id, { x: x - width / 2, y: place(id).y });
  const sizes = new Map(children.map((box) => [box.id, box]));
  const at = (end: string): Rail => ({
    line: writers.has(end) || isSpineEnd(end, isSpine),
    box: sizes.get(end) ?? null,
    place: places.get(end) ?? null,
  });
  const wires = layout.wires.map((wire) => ({ ...wire, points: route(wire, at(wire.from), at(wire.to), x, layout.height) }));
  const moved = (ports: ReadonlyMap<number, number>) =>
    new Map([...ports].map(([value, px]) => [value, isSpine(value) ? x : px]));
  return {
    ...layout,
    width: x + widest / 2 + PADDING.side,
    places,
    wires,
    entries: moved(layout.entries),
    exits: moved(layout.exits),
  };
}

interface Rail {
  readonly line: boolean;
  readonly box: Box | null;
  readonly place: Point | null;
}

const isSpineEnd = (end: string, isSpine: (value: number) => boolean): boolean => {
  const value = portValue(end);
  return value !== null && isSpine(value);
};

function route(wire: LaidWire, from: Rail, to: Rail, x: number, height: number): readonly Point[] {
  const bottom = (rail: Rail): number => (rail.place && rail.box ? rail.place.y + rail.box.height : 0);
  if (from.line && to.line)
    return [
      { x, y: bottom(from) },
      { x, y: to.place?.y ?? height },
    ];
  if (from.line && to.box && to.place) {
    const middle = to.place.x + to.box.width / 2;
    const above = to.place.y - TAP;
    return [
      { x, y: Math.min(bottom(from), above) },
      { x, y: above },
      { x: middle, y: above },
      { x: middle, y: to.place.y },
    ];
  }
  if (to.line && to.box && to.place) {
    const above = to.place.y - JOIN;
    const before = wire.points.slice(0, -1).filter(({ y }, i) => i === 0 || y <= above);
    const [last, end] = [before.at(-1) as Point, x - to.box.width / 4];
    return [...before, { x: last.x, y: above }, { x: end, y: above }, { x: end, y: to.place.y }];
  }
  return wire.points;
}
