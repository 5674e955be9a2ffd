import type { Drawn } from './drawn.js';
import type { LaidWire, Layout, Point } from './layout.js';

/** Before and behind an open box, between the layers, where wires turn to their places on its border; each at a height of its own. */
const TURN = { first: 4, step: 3, most: 16 } as const;

/** Wires to and from open boxes meet the border where the value goes on inside. */
export function toPorts(layout: Layout, children: readonly Drawn[]): Layout {
  const open = new Map(children.flatMap((box) => (box.inner ? [[box.id, box] as const] : [])));
  if (open.size === 0) return layout;
  const met = new Map<string, number>();
  const turn = (border: string): number => {
    const n = met.get(border) ?? 0;
    met.set(border, n + 1);
    return Math.min(TURN.first + n * TURN.step, TURN.most);
  };
  const wires = layout.wires.map((wire): LaidWire => {
    const [source, target] = [open.get(wire.from), open.get(wire.to)];
    const start = source && below(source, layout.places.get(source.id), wire.value, turn(`<${wire.from}`));
    const end = target && above(target, layout.places.get(target.id), wire.value, turn(`>${wire.to}`));
    const points = [...(start ?? wire.points.slice(0, 1)), ...wire.points.slice(1, -1), ...(end ?? wire.points.slice(-1))];
    return { ...wire, points };
  });
  return { ...layout, wires };
}

function below({ inner, height }: Drawn, at: Point | undefined, value: number, turn: number): Point[] | undefined {
  const x = inner?.exits.get(value);
  if (x === undefined || !at) return undefined;
  const y = at.y + height;
  return [
    { x: at.x + x, y },
    { x: at.x + x, y: y + turn },
  ];
}

function above({ inner }: Drawn, at: Point | undefined, value: number, turn: number): Point[] | undefined {
  const x = inner?.entries.get(value);
  if (x === undefined || !at) return undefined;
  return [
    { x: at.x + x, y: at.y - turn },
    { x: at.x + x, y: at.y },
  ];
}
