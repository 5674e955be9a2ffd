import { useEffect, useRef } from 'preact/hooks';
import { useGestures } from '../charts/gestures.js';
import { ink } from '../charts/theme.js';
import { useCanvas } from '../frame/useCanvas.js';
import { type Camera, clamped, fitted, panned, revealed, toScene, zoomed } from './camera.js';
import { drawGraph, type Picture } from './drawing.js';
import { boxAt, type Drawn, type Found, findBox } from './drawn.js';
import { graphInk } from './graphInk.js';
import type { Point } from './layout.js';
import { Minimap } from './minimap.js';
import { camera, hovered } from './navigation.js';
import { canvasPen } from './pen.js';
import { LINE, TWISTY } from './segmentBox.js';

export interface GraphCanvasProps extends Omit<Picture, 'ink' | 'hovered'> {
  /** What the picture shows, in words. */
  readonly label: string;
  onSelect(id: string): void;
  onToggle(id: string): void;
  onKeyDown(event: KeyboardEvent): void;
  /** Open segments that can be read now. */
  onSight(segments: readonly string[]): void;
}

/** The graph on a canvas: only what is in sight is drawn. Wheel scrolls, pinch or Ctrl+wheel zooms, drag moves. */
export function GraphCanvas(props: GraphCanvasProps) {
  const { root, label, selected, onSelect, onToggle, onKeyDown, onSight } = props;
  const stage = useRef<HTMLDivElement>(null);
  const screen = () => ({ width: stage.current?.clientWidth ?? 1, height: stage.current?.clientHeight ?? 1 });
  const now = (): Camera => camera.value ?? fitted({ x: 0, y: 0, ...root }, screen());
  const go = (next: Camera) => {
    camera.value = clamped(next, root, screen());
  };
  // the picture follows them, though only drawing reads them
  void camera.value;
  void hovered.value;
  const canvas = useCanvas((context, width, height) => {
    const start = performance.now();
    const { dx, dy, scale } = now();
    context.save();
    context.translate(dx, dy);
    context.scale(scale, scale);
    const clip = { left: -dx / scale, top: -dy / scale, right: (width - dx) / scale, bottom: (height - dy) / scale, scale };
    drawGraph(canvasPen(context, ink.value.family), { ...props, ink: graphInk(), hovered: hovered.value }, clip);
    context.restore();
    timed(start);
    onSight(segmentsIn(root, clip));
  });
  const under = (at: Point): Found | null => boxAt(root, toScene(now(), at));
  useGestures(stage, {
    movable: true,
    scrolls: true,
    zoom: (factor, x, y) => go(zoomed(now(), factor, { x, y })),
    pan: (dx, dy) => go(panned(now(), dx, dy)),
    hover: (x, y) => {
      hovered.value = under({ x, y })?.id ?? null;
    },
    leave: () => {
      hovered.value = null;
    },
    click: (x, y) => {
      const found = under({ x, y });
      if (!found || found.around.length === 0) return;
      onSelect(found.id);
      const at = toScene(now(), { x, y });
      const mark = at.x - found.x < 8 + TWISTY && at.y - found.y < LINE + 6;
      if (found.box.expandable && mark) onToggle(found.id);
    },
  });
  useReveal(root, selected, now, go, screen);
  const found = selected === null ? null : findBox(root, selected);
  return (
    <div
      ref={stage}
      class="graph-stage"
      role="application"
      aria-roledescription="graph"
      aria-label={label}
      aria-describedby="graph-live"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys itself
      tabIndex={0}
      onKeyDown={onKeyDown}
      onDblClick={(event) => {
        const box = stage.current?.getBoundingClientRect();
        const at = under({ x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) });
        if (at?.box.expandable) onToggle(at.id);
      }}
    >
      <canvas ref={canvas} class="graph-canvas" />
      <Minimap root={root} now={now} go={go} screen={screen} selected={found} />
    </div>
  );
}

/** How long the last drawing took, for the profiler and the tests. */
function timed(start: number): void {
  performance.clearMeasures('graph.draw');
  performance.measure('graph.draw', { start });
}

/** Open segments of which some is in sight, large enough to be read. */
function segmentsIn(root: Drawn, { top, bottom, scale }: { top: number; bottom: number; scale: number }): string[] {
  if (scale < 0.5 || !root.inner) return [];
  const seen = (y: number, height: number) => y < bottom && y + height > top;
  const within = (box: Drawn, y: number): string[] =>
    !box.inner || !seen(y, box.height)
      ? []
      : box.segment
        ? [box.id]
        : box.inner.children.flatMap(({ at, box: child }) => within(child, y + at.y));
  return within(root, 0);
}

/** What is selected comes into sight; not while the picture is moved by hand. */
function useReveal(
  root: Drawn,
  selected: string | null,
  now: () => Camera,
  go: (camera: Camera) => void,
  screen: () => { width: number; height: number },
): void {
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (selected === null || (selected === last.current && camera.value !== null)) return;
    const found = findBox(root, selected);
    if (!found) return;
    const first = last.current === null && camera.value === null;
    last.current = selected;
    const rect = { x: found.x, y: found.y, width: found.box.width, height: Math.min(found.box.height, 400) };
    if (!first) go(revealed(now(), rect, screen()));
  }, [root, selected]);
}
