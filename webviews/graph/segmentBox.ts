import type { SegmentGraph } from '../../server/protocol/graph.js';
import type { Drawn, Inner } from './drawn.js';
import { layOut, PADDING, type Size } from './layout.js';
import { toPorts } from './ports.js';
import { onRail } from './rail.js';
import { type Label, labelOf, normText, shortRole } from './text.js';
import { type Item, isBranch, treeOf } from './tree.js';
import { wire } from './wiring.js';

/** Width of a text in CSS pixels; titles are written larger. */
export type Measure = (text: string, title: boolean) => number;

export const LINE = 15;
const SIDE = 8;
const LEAST = 64;
/** The mark before the title of what opens. */
export const TWISTY = 14;

export interface SegmentLook {
  readonly open: (id: string) => boolean;
  /** Show the operators that only compute sizes. */
  readonly sizes: boolean;
  /** Tokens of the run, for shapes; null keeps them symbolic. */
  readonly tokens: number | null;
  /** A run gives values: there is room for how long they are. */
  readonly norms: boolean;
  readonly measure: Measure;
}

export interface SegmentInner extends Inner, Size {
  /** Where the stream from block to block enters at the top and leaves at the bottom. */
  readonly enter: number;
  readonly leave: number;
  /** Where carries cross the border, by name. */
  readonly carries: { readonly in: ReadonlyMap<string, number>; readonly out: ReadonlyMap<string, number> };
}

/** What is in a segment, its ids beginning with /. The costly part of a picture: like blocks share it. */
export function segmentInner(graph: SegmentGraph, look: SegmentLook): SegmentInner {
  const tree = treeOf(graph, '', look.sizes);
  const wiring = wire(graph, tree, (id) => look.open(id));
  const spine = (value: number) => {
    const { probes, role } = graph.values[value] ?? { probes: [], role: null };
    return role === 'resid' || role === 'resid.next' || probes.some((probe) => /^(resid_|embed$)/.test(probe));
  };
  const build = (item: Item): Drawn => {
    const label = labelOf(item, graph, look.tokens);
    const open = isBranch(item) && look.open(item.id);
    const base = { id: item.id, label, expandable: isBranch(item), segment: false } as const;
    if (!open)
      return { ...base, ...labelSize(label, look, base.expandable), inner: null, shape: item.kind === 'pill' ? 'pill' : 'box' };
    const inner = content(item);
    return { ...base, ...atLeast(inner.width, inner.height, label, look), inner, shape: 'box' };
  };
  const content = (item: Item & { readonly children: readonly Item[] }): SegmentInner => {
    const wires = wiring.get(item.id) ?? [];
    const wired = new Set(wires.flatMap(({ from, to }) => [from, to]));
    // state that nothing seen reads, and what is left of hidden operators
    const children = item.children.filter((child) => child.kind !== 'pill' || wired.has(child.id)).map(build);
    const { places, ...layout } = toPorts(onRail(layOut(children, wires, spine), children, spine), children);
    const along = (ports: ReadonlyMap<number, number>) =>
      [...ports].find(([value]) => spine(value))?.[1] ?? [...ports.values()][0] ?? layout.width / 2;
    return {
      width: layout.width,
      height: layout.height,
      enter: along(layout.entries),
      leave: along(layout.exits),
      carries: { in: carriesOf(graph, layout.entries), out: carriesOf(graph, layout.exits) },
      wires: layout.wires,
      spine,
      ports: portNames(graph, layout.entries),
      entries: layout.entries,
      exits: layout.exits,
      children: children.flatMap((box) => {
        const at = places.get(box.id);
        return at ? [{ at, box }] : [];
      }),
    };
  };
  return content(tree.root);
}

/** Room for a closed box: its lines, and the length of its value where a run gives one. */
export function labelSize(
  { title, lines, value }: Label,
  { measure, norms }: Pick<SegmentLook, 'measure' | 'norms'>,
  expandable = false,
): Size {
  const extra = value !== null && norms ? measure(`  ${normText(-0.1234)}`, false) : 0;
  const widths = lines.map((line, i) => measure(line, false) + (i === lines.length - 1 ? extra : 0));
  return {
    width: Math.ceil(Math.max(LEAST, measure(title, true) + (expandable ? TWISTY : 0), ...widths) + 2 * SIDE),
    height: LINE * (lines.length + 1) + 6,
  };
}

/** An open box is wide enough for its title. */
export const atLeast = (width: number, height: number, { title }: Label, { measure }: Pick<SegmentLook, 'measure'>): Size => ({
  width: Math.max(width, Math.ceil(measure(title, true)) + 2 * PADDING.side + TWISTY),
  height,
});

function carriesOf({ values }: SegmentGraph, ports: ReadonlyMap<number, number>): ReadonlyMap<string, number> {
  return new Map(
    [...ports].flatMap(([value, x]) => {
      const [, name] = /^carry\.(.*)$/.exec(values[value]?.role ?? '') ?? [];
      return name === undefined ? [] : [[name, x] as const];
    }),
  );
}

/** What the values are called that enter a container. */
function portNames({ values }: SegmentGraph, entries: ReadonlyMap<number, number>): Inner['ports'] {
  return [...entries]
    .flatMap(([value, x]) => {
      const { probes, role } = values[value] ?? { probes: [], role: null };
      const name = probes[0] ?? (role === null ? undefined : shortRole(role));
      return name ? [{ x, name }] : [];
    })
    .sort((a, b) => a.x - b.x);
}
