import type { LaidWire, Point, Size } from './layout.js';
import type { Label } from './text.js';

/** A box as it is drawn; ids that begin with / are within a segment and follow its id. */
export interface Drawn extends Size {
  readonly id: string;
  readonly label: Label;
  readonly expandable: boolean;
  /** What is in it while it is open. */
  readonly inner: Inner | null;
  readonly shape: 'box' | 'pill';
  /** Set for a segment: the names of its parts follow its id. */
  readonly segment: boolean;
}

export interface Inner {
  readonly children: readonly { readonly at: Point; readonly box: Drawn }[];
  readonly wires: readonly LaidWire[];
  /** Values of wires that are the residual stream. */
  readonly spine: (value: number) => boolean;
  /** Names of what enters at the top. */
  readonly ports: readonly { readonly x: number; readonly name: string }[];
  /** Where values cross the upper and the lower border, x by value. */
  readonly entries: ReadonlyMap<number, number>;
  readonly exits: ReadonlyMap<number, number>;
}

/** One box where it lies, with those around it, outermost first. */
export interface Found {
  readonly id: string;
  readonly box: Drawn;
  readonly x: number;
  readonly y: number;
  readonly around: readonly Found[];
}

export const fullId = (box: Drawn, segment: string): string => (box.id.startsWith('/') ? segment + box.id : box.id);

type Visit = (found: Found) => boolean;

/** Every box from outside in; `visit` says whether to look into it. */
export function visitBoxes(root: Drawn, visit: Visit): void {
  const go = (box: Drawn, x: number, y: number, segment: string, around: readonly Found[]): void => {
    const found = { id: fullId(box, segment), box, x, y, around };
    if (!visit(found) || !box.inner) return;
    const own = box.segment ? box.id : segment;
    for (const { at, box: child } of box.inner.children) go(child, x + at.x, y + at.y, own, [...around, found]);
  };
  go(root, 0, 0, '', []);
}

export function findBox(root: Drawn, id: string): Found | null {
  let result: Found | null = null;
  visitBoxes(root, (found) => {
    if (found.id === id) result = found;
    return result === null && (!found.box.segment || id.startsWith(`${found.id}/`));
  });
  return result;
}

/** The innermost box under a point. */
export function boxAt(root: Drawn, { x, y }: Point): Found | null {
  let result: Found | null = null;
  visitBoxes(root, (found) => {
    const inside = x >= found.x && x < found.x + found.box.width && y >= found.y && y < found.y + found.box.height;
    if (inside) result = found;
    return inside;
  });
  return result;
}
