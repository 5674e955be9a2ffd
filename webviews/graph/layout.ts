import dagre from '@dagrejs/dagre';
import { entry, exit, portValue, type Wire } from './wiring.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LaidWire extends Wire {
  readonly points: readonly Point[];
}

export interface Layout extends Size {
  /** Corner of each child. */
  readonly places: ReadonlyMap<string, Point>;
  readonly wires: readonly LaidWire[];
  /** Where values cross the upper and the lower border, x by value. */
  readonly entries: ReadonlyMap<number, number>;
  readonly exits: ReadonlyMap<number, number>;
}

const TOP = ' top';
const BOTTOM = ' bottom';
/** Room inside the border of a container. */
export const PADDING = { top: 26, side: 12, bottom: 12 } as const;

/** dagre follows a chain by recursion, which thousands of boxes in one would end: more are laid in stretches of so many, one below the other. */
const MOST = 500;
const GAP = 22;

/**
 * Children in layers from top to bottom, after Sugiyama, Tagawa & Toda 1981, as dagre computes it. Values that cross the border do so at the top
 * or at the bottom; the residual stream is pulled straight.
 */
export function layOut(
  children: readonly (Size & { readonly id: string })[],
  wires: readonly Wire[],
  isSpine: (value: number) => boolean,
): Layout {
  return children.length > MOST ? stacked(children, wires, isSpine) : layered(children, wires, isSpine);
}

type Children = Parameters<typeof layOut>[0];

/** Stretches in the order of the children; wires from one to another, and those that cross the border, go straight. */
function stacked(children: Children, wires: readonly Wire[], isSpine: (value: number) => boolean): Layout {
  const stretches = Array.from({ length: Math.ceil(children.length / MOST) }, (_, i) => children.slice(i * MOST, (i + 1) * MOST));
  const home = new Map(stretches.flatMap((stretch, i) => stretch.map(({ id }) => [id, i] as const)));
  const within = (i: number) => wires.filter(({ from, to }) => home.get(from) === i && home.get(to) === i);
  const laid = stretches.map((stretch, i) => layered(stretch, within(i), isSpine));
  const width = Math.max(...laid.map((layout) => layout.width));
  const places = new Map<string, Point>();
  const lines: LaidWire[] = [];
  let top = PADDING.top;
  for (const layout of laid) {
    const [dx, dy] = [(width - layout.width) / 2, top - PADDING.top];
    const move = ({ x, y }: Point): Point => ({ x: x + dx, y: y + dy });
    for (const [id, at] of layout.places) places.set(id, move(at));
    for (const wire of layout.wires) lines.push({ ...wire, points: wire.points.map(move) });
    top += layout.height - PADDING.top - PADDING.bottom + GAP;
  }
  const height = top - GAP + PADDING.bottom;
  const sizes = new Map(children.map((child) => [child.id, child]));
  const end = (id: string, other: string, below: boolean): Point => {
    const [at, size] = [places.get(id) ?? places.get(other), sizes.get(id) ?? sizes.get(other)] as [Point, Size];
    const y = places.has(id) ? at.y + (below ? size.height : 0) : below ? 0 : height;
    return { x: at.x + size.width / 2, y };
  };
  const crossing = wires.filter(({ from, to }) => home.get(from) === undefined || home.get(from) !== home.get(to));
  for (const wire of crossing)
    if (places.has(wire.from) || places.has(wire.to))
      lines.push({ ...wire, points: [end(wire.from, wire.to, true), end(wire.to, wire.from, false)] });
  const ports = (name: (value: number) => string, of: 'from' | 'to', point: number) =>
    new Map(
      lines.flatMap((wire) => (wire[of] === name(wire.value) ? [[wire.value, (wire.points.at(point) as Point).x] as const] : [])),
    );
  return { width, height, places, wires: lines, entries: ports(entry, 'from', 0), exits: ports(exit, 'to', -1) };
}

function layered(children: Children, wires: readonly Wire[], isSpine: (value: number) => boolean): Layout {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 14, ranksep: 22, edgesep: 8, marginx: 0, marginy: 0 });
  for (const { id, width, height } of children) graph.setNode(id, { width, height });
  const ports = new Set(wires.flatMap(({ from, to }) => [from, to].filter((end) => portValue(end) !== null)));
  for (const port of ports) graph.setNode(port, { width: 6, height: 1 });
  anchor(graph, ports);
  for (const [i, wire] of wires.entries()) {
    const weight = isSpine(wire.value) ? 8 : 1;
    // what goes back is laid as if it went forward, and drawn from its end
    const [from, to] = wire.back ? [wire.to, wire.from] : [wire.from, wire.to];
    graph.setEdge(from, to, { weight, minlen: 1 }, String(i));
  }
  dagre.layout(graph);
  return measured(graph, children, wires);
}

type Graph = InstanceType<typeof dagre.graphlib.Graph>;

/** Ports lie in the first and the last layer: invisible ends hold them there. */
function anchor(graph: Graph, ports: ReadonlySet<string>): void {
  const weight = 20;
  for (const port of ports) {
    const upper = port.startsWith('>');
    const end = upper ? TOP : BOTTOM;
    if (!graph.hasNode(end)) graph.setNode(end, { width: 0, height: 0 });
    if (upper) graph.setEdge(end, port, { weight, minlen: 1 }, 'anchor');
    else graph.setEdge(port, end, { weight, minlen: 1 }, 'anchor');
  }
}

interface Placed extends Size, Point {}

function measured(graph: Graph, children: readonly { readonly id: string }[], wires: readonly Wire[]): Layout {
  const at = (id: string) => graph.node(id) as unknown as Placed;
  const routes = wires.map((wire, i) => {
    const [from, to] = wire.back ? [wire.to, wire.from] : [wire.from, wire.to];
    const { points } = graph.edge(from, to, String(i)) as unknown as { points: Point[] };
    return wire.back ? points.toReversed() : points;
  });
  const boxes = children.map(({ id }) => at(id));
  const xs = [...boxes.flatMap(({ x, width }) => [x - width / 2, x + width / 2]), ...routes.flat().map(({ x }) => x)];
  const ys = boxes.flatMap(({ y, height }) => [y - height / 2, y + height / 2]);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [right, bottom] = [Math.max(...xs), Math.max(...ys)];
  const move = ({ x, y }: Point): Point => ({ x: x - left + PADDING.side, y: y - top + PADDING.top });
  const height = bottom - top + PADDING.top + PADDING.bottom;
  const ports = (name: (value: number) => string) => {
    const values = new Set(wires.map(({ value }) => value));
    return new Map(
      [...values].flatMap((value) => (graph.hasNode(name(value)) ? [[value, move(at(name(value))).x] as const] : [])),
    );
  };
  const [entries, exits] = [ports(entry), ports(exit)];
  return {
    width: right - left + 2 * PADDING.side,
    height,
    places: new Map(children.map(({ id }) => [id, corner(move(at(id)), at(id))])),
    wires: wires.map((wire, i) => ({ ...wire, points: toBorder((routes[i] as Point[]).map(move), wire, height) })),
    entries,
    exits,
  };
}

const corner = ({ x, y }: Point, { width, height }: Size): Point => ({ x: x - width / 2, y: y - height / 2 });

/** Wires of ports begin and end on the border itself. */
function toBorder(points: readonly Point[], { from, to }: Wire, height: number): Point[] {
  const inside = points.map(({ x, y }) => ({ x, y: Math.max(0, Math.min(height, y)) }));
  if (portValue(from) !== null) inside[0] = { x: (points[0] as Point).x, y: 0 };
  if (portValue(to) !== null) inside[inside.length - 1] = { x: (points.at(-1) as Point).x, y: height };
  return inside;
}
