import { type Drawn, type Found, findBox, visitBoxes } from './drawn.js';
import type { LaidWire } from './layout.js';

export type Direction = 'up' | 'down' | 'left' | 'right';

/** The box that an arrow key leads to: along the edges, into what is open and out of it again; null at the end of the way. */
export function stepFrom(root: Drawn, at: Found, direction: Direction): Found | null {
  if (direction === 'left' || direction === 'right') return beside(root, at, direction === 'right' ? 1 : -1);
  if (direction === 'down') return firstIn(root, at) ?? after(root, at);
  return before(root, at);
}

const siblingsOf = (root: Drawn, { around }: Found): Found[] => {
  const parent = around.at(-1);
  return parent ? childrenOf(root, parent) : [];
};

export function childrenOf(root: Drawn, parent: Found): Found[] {
  const found: Found[] = [];
  visitBoxes(root, (box) => {
    if (box.around.at(-1)?.id === parent.id) found.push(box);
    return parent.id === box.id || parent.around.some(({ id }) => id === box.id);
  });
  return found;
}

const middle = ({ x, box }: Found): number => x + box.width / 2;

const nearest = (from: Found, candidates: readonly Found[]): Found | null =>
  candidates.toSorted((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0] ?? null;

/** Topmost box within an open one. */
function firstIn(root: Drawn, at: Found): Found | null {
  if (!at.box.inner) return null;
  const children = childrenOf(root, at);
  const top = Math.min(...children.map(({ y }) => y));
  return (
    nearest(
      at,
      children.filter(({ y }) => y < top + 1),
    ) ?? null
  );
}

/** The lowest box within an open one, and so on inwards. */
function lastIn(root: Drawn, at: Found): Found {
  if (!at.box.inner) return at;
  const children = childrenOf(root, at);
  const bottom = Math.max(...children.map(({ y, box }) => y + box.height));
  const last = nearest(
    at,
    children.filter(({ y, box }) => y + box.height > bottom - 1),
  );
  return last ? lastIn(root, last) : at;
}

function after(root: Drawn, at: Found): Found | null {
  const parent = at.around.at(-1);
  if (!parent) return null;
  const next = nearest(
    at,
    linked(root, at, (wire) => [wire.from, wire.to]),
  );
  return next ?? (parent.around.length > 0 ? after(root, parent) : null);
}

function before(root: Drawn, at: Found): Found | null {
  const parent = at.around.at(-1);
  if (!parent) return null;
  const previous = nearest(
    at,
    linked(root, at, (wire) => [wire.to, wire.from]),
  );
  if (previous) return lastIn(root, previous);
  return parent.around.length > 0 ? parent : null;
}

/** Siblings at the other end of a wire that does not go back. */
function linked(root: Drawn, at: Found, ends: (wire: LaidWire) => readonly [own: string, other: string]): Found[] {
  const wires = at.around.at(-1)?.box.inner?.wires ?? [];
  const others = new Set(
    wires.flatMap((wire) => {
      const [own, other] = ends(wire);
      return own === at.box.id && !wire.back ? [other] : [];
    }),
  );
  return siblingsOf(root, at).filter(({ box }) => others.has(box.id));
}

/** The next box to a side, of those at the same height if there are any. */
function beside(root: Drawn, at: Found, side: 1 | -1): Found | null {
  const others = siblingsOf(root, at).filter((other) => (middle(other) - middle(at)) * side > 1);
  const level = others.filter(({ y, box }) => y < at.y + at.box.height && y + box.height > at.y);
  return nearest(at, level.length > 0 ? level : others);
}

/** The box with this id, or the closest one around it that is drawn. */
export function shownBox(root: Drawn, id: string, parents: (id: string) => string | null): Found | null {
  for (let at: string | null = id; at !== null; at = parents(at)) {
    const found = findBox(root, at);
    if (found) return found;
  }
  return null;
}
