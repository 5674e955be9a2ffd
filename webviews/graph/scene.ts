import type { GraphOutline, GraphPart, OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { bytes, count } from '../charts/numbers.js';
import type { Drawn, Inner } from './drawn.js';
import { PADDING, type Point } from './layout.js';
import { type BlockRun, blockRuns, runTitle } from './runs.js';
import { atLeast, labelSize, type SegmentInner, type SegmentLook } from './segmentBox.js';
import type { Label } from './text.js';

export interface SceneLook extends Pick<SegmentLook, 'norms' | 'measure'> {
  /** By full id. */
  readonly open: (id: string) => boolean;
  /** The operators of an open segment; null until they are loaded. */
  readonly segment: (part: OutlinePart) => SegmentGraph | null;
  /** What is in it, from the cache of like blocks. */
  readonly inner: (part: OutlinePart, graph: SegmentGraph, id: string) => SegmentInner;
  /** A line about a segment from the run: the length of what enters and leaves it. */
  readonly note: (part: OutlinePart) => string | null;
  /** What goes in and what comes out, with the numbers of the run. */
  ends(tower: string, reads: readonly string[], says: readonly string[]): { readonly input: Label; readonly output: Label };
}

export const segmentId = ({ tower, part }: Pick<OutlinePart, 'tower' | 'part'>): string =>
  `${tower === '' ? '' : `${tower}.`}${typeof part === 'number' ? `b${part}` : part}`;

export const runId = ({ parts }: BlockRun): string => {
  const [first] = parts as readonly [OutlinePart];
  return `${first.tower === '' ? '' : `${first.tower}.`}blocks${first.part}`;
};

const GAP = 26;
const COLUMN_GAP = 48;
/** Room to the right of a column for values that skip blocks. */
const RAIL = 14;

/** A box in a column, with where the stream enters and leaves it, from its left edge. */
interface Link {
  readonly box: Drawn;
  readonly enter: number;
  readonly leave: number;
  readonly carriesOut: readonly string[];
  readonly carriesIn: readonly string[];
  /** Where they cross the border of an open block. */
  readonly ports: SegmentInner['carries'];
}

const NOTHING = { ports: [], entries: new Map<number, number>(), exits: new Map<number, number>() };
const NO_PORTS: SegmentInner['carries'] = { in: new Map(), out: new Map() };

/** The whole model: what goes in, embed, runs of blocks, head, what comes out; towers side by side. */
export function sceneOf(outline: GraphOutline, look: SceneLook): Drawn {
  const towers = [...new Set(outline.parts.map(({ tower }) => tower))];
  const columns = towers.map((tower) => {
    const parts = outline.parts.filter((part) => part.tower === tower);
    const prefix = tower === '' ? '' : `${tower}.`;
    const blocks = parts.filter(({ part }) => typeof part === 'number');
    const end = (which: GraphPart) => parts.filter(({ part }) => part === which).map((part) => segmentLink(part, look));
    const named = (which: 'reads' | 'says') => [...new Set(parts.flatMap((part) => part[which]))];
    const { input, output } = look.ends(tower, named('reads'), named('says'));
    return column([
      plain(endBox(`${prefix}input`, input, look)),
      ...end('embed'),
      ...end('graph'),
      ...blockRuns(blocks).flatMap((run) => runLinks(run, look)),
      ...end('head'),
      plain(endBox(`${prefix}output`, output, look)),
    ]);
  });
  const height = Math.max(...columns.map((c) => c.height));
  let x = 0;
  const children: { at: Point; box: Drawn }[] = [];
  const wires: Inner['wires'][number][] = [];
  for (const { inner, width } of columns) {
    const moved = ({ x: at, y }: Point): Point => ({ x: at + x, y });
    children.push(...inner.children.map(({ at, box }) => ({ at: moved(at), box })));
    wires.push(...inner.wires.map((wire) => ({ ...wire, points: wire.points.map(moved) })));
    x += width + COLUMN_GAP;
  }
  const label: Label = { title: outline.name, lines: [], value: null, tone: 'computes' };
  const inner = { children, wires, spine: isStream, ...NOTHING };
  return { id: 'model', label, expandable: false, segment: false, shape: 'box', inner, width: x - COLUMN_GAP, height };
}

const isStream = (value: number): boolean => value === 0;

const plain = (box: Drawn): Link => ({
  box,
  enter: box.width / 2,
  leave: box.width / 2,
  carriesIn: [],
  carriesOut: [],
  ports: NO_PORTS,
});

const endBox = (id: string, label: Label, look: SceneLook): Drawn => ({
  id,
  label,
  expandable: false,
  segment: false,
  shape: 'pill',
  inner: null,
  ...labelSize(label, look),
});

/** One block alone, or the run as one box that opens into its blocks. */
function runLinks(run: BlockRun, look: SceneLook): Link[] {
  if (run.parts.length === 1) return run.parts.map((part) => segmentLink(part, look));
  const id = runId(run);
  const label = runLabel(run, look);
  const base = { id, label, expandable: true, segment: false, shape: 'box' } as const;
  const [first, last] = [run.parts[0], run.parts.at(-1)];
  const carries = { carriesIn: first?.carriesIn ?? [], carriesOut: last?.carriesOut ?? [], ports: NO_PORTS };
  if (!look.open(id)) {
    const size = labelSize(label, look, true);
    return [{ box: { ...base, ...size, inner: null }, enter: size.width / 2, leave: size.width / 2, ...carries }];
  }
  const { inner, width, height, axis } = column(run.parts.map((part) => segmentLink(part, look)));
  const shifted = move(inner, PADDING.side, PADDING.top);
  const size = atLeast(width + 2 * PADDING.side, height + PADDING.top + PADDING.bottom, label, look);
  const along = axis + PADDING.side;
  const wires = [
    {
      from: '>0',
      to: '',
      value: 0,
      back: false,
      points: [
        { x: along, y: 0 },
        { x: along, y: PADDING.top },
      ],
    },
    ...shifted.wires,
    {
      from: '',
      to: '<0',
      value: 0,
      back: false,
      points: [
        { x: along, y: size.height - PADDING.bottom },
        { x: along, y: size.height },
      ],
    },
  ];
  return [{ box: { ...base, ...size, inner: { ...shifted, wires } }, enter: along, leave: along, ...carries }];
}

function move(inner: Inner, dx: number, dy: number): Inner {
  const moved = ({ x, y }: Point): Point => ({ x: x + dx, y: y + dy });
  return {
    ...inner,
    children: inner.children.map(({ at, box }) => ({ at: moved(at), box })),
    wires: inner.wires.map((wire) => ({ ...wire, points: wire.points.map(moved) })),
  };
}

function segmentLink(part: OutlinePart, look: SceneLook): Link {
  const id = segmentId(part);
  const label = segmentLabel(part, look);
  const base = { id, label, expandable: true, segment: true, shape: 'box' } as const;
  const carries = { carriesIn: part.carriesIn, carriesOut: part.carriesOut, ports: NO_PORTS };
  const graph = look.open(id) ? look.segment(part) : null;
  if (!graph) {
    const size = labelSize(label, look, true);
    return { box: { ...base, ...size, inner: null }, enter: size.width / 2, leave: size.width / 2, ...carries };
  }
  const inner = look.inner(part, graph, id);
  const size = atLeast(inner.width, inner.height, label, look);
  return { box: { ...base, ...size, inner }, enter: inner.enter, leave: inner.leave, ...carries, ports: inner.carries };
}

function segmentLabel(part: OutlinePart, look: SceneLook): Label {
  const { part: which, mixer, parameters, bytes: stored, states } = part;
  const title = typeof which === 'number' ? `block ${which}` : which;
  const size = `${count(parameters)} parameters, ${bytes(Object.values(stored).reduce((a, b) => a + b, 0))}`;
  const note = look.note(part);
  const kept = states.length > 0 ? `keeps ${states.map(({ name }) => name).join(', ')}` : null;
  const lines = [mixer, size, kept, note].filter((line) => line !== null);
  return { title, lines, value: null, tone: 'weights' };
}

function runLabel(run: BlockRun, look: SceneLook): Label {
  const [first, last] = [run.parts[0], run.parts.at(-1)];
  const parameters = run.parts.reduce((sum, part) => sum + part.parameters, 0);
  const stored = run.parts.flatMap((part) => Object.values(part.bytes)).reduce((a, b) => a + b, 0);
  const kept = [...new Set(run.parts.flatMap(({ states }) => states.map(({ name }) => name)))];
  const note =
    first && last && look.note(first) !== null
      ? `${look.note(first)?.split(' → ')[0]} → ${look.note(last)?.split(' → ')[1]}`
      : null;
  const lines = [
    runTitle(run),
    `${count(parameters)} parameters, ${bytes(stored)}`,
    kept.length > 0 ? `each keeps ${kept.join(', ')}` : null,
    note,
  ].filter((line) => line !== null);
  return { title: `blocks ${first?.part}–${last?.part}`, lines, value: null, tone: 'weights' };
}

interface Column {
  readonly inner: Inner;
  readonly width: number;
  readonly height: number;
  /** Where the stream runs, from the left. */
  readonly axis: number;
}

/** Boxes one under the other, the stream in a straight line through them; what skips blocks runs along the right. */
function column(links: readonly Link[]): Column {
  const axis = Math.max(...links.map(({ enter }) => enter));
  let y = 0;
  const placed = links.map((link) => {
    const at = { x: axis - link.enter, y };
    y += link.box.height + GAP;
    return { ...link, at };
  });
  const stream = placed.slice(1).map((to, i): Inner['wires'][number] => {
    const from = placed[i] as (typeof placed)[number];
    const [start, end] = [
      { x: from.at.x + from.leave, y: from.at.y + from.box.height },
      { x: axis, y: to.at.y },
    ];
    const half = { x: start.x, y: (start.y + end.y) / 2 };
    const points = start.x === end.x ? [start, end] : [start, half, { x: end.x, y: half.y }, end];
    return { from: from.box.id, to: to.box.id, value: 0, back: false, points };
  });
  const right = Math.max(...placed.map(({ at, box }) => at.x + box.width));
  const carried = carryWires(placed, right);
  const width = right + (carried.length > 0 ? 2 * RAIL : 0);
  const children = placed.map(({ at, box }) => ({ at, box }));
  return { inner: { children, wires: [...stream, ...carried], spine: isStream, ...NOTHING }, width, height: y - GAP, axis };
}

/** From the block that makes a carry along the right to every one that reads it. */
function carryWires(placed: readonly (Link & { readonly at: Point })[], right: number): Inner['wires'][number][] {
  return placed.flatMap((source, i) =>
    source.carriesOut.flatMap((name) =>
      placed.slice(i + 1).flatMap((target) => {
        if (!target.carriesIn.includes(name)) return [];
        const rail = right + RAIL;
        const points = [...leaving(source, name, rail), ...entering(target, name, rail)];
        return [{ from: source.box.id, to: target.box.id, value: 1, back: false, points }];
      }),
    ),
  );
}

type PlacedLink = Link & { readonly at: Point };

/** From its place on the lower border of an open block, or from the side of a closed one. */
function leaving({ at, box, ports }: PlacedLink, name: string, rail: number): Point[] {
  const x = ports.out.get(name);
  const bottom = at.y + box.height;
  if (x === undefined)
    return [
      { x: at.x + box.width, y: bottom - 10 },
      { x: rail, y: bottom - 10 },
    ];
  return [
    { x: at.x + x, y: bottom },
    { x: at.x + x, y: bottom + 8 },
    { x: rail, y: bottom + 8 },
  ];
}

function entering({ at, box, ports }: PlacedLink, name: string, rail: number): Point[] {
  const x = ports.in.get(name);
  if (x === undefined)
    return [
      { x: rail, y: at.y + 10 },
      { x: at.x + box.width, y: at.y + 10 },
    ];
  return [
    { x: rail, y: at.y - 8 },
    { x: at.x + x, y: at.y - 8 },
    { x: at.x + x, y: at.y },
  ];
}
