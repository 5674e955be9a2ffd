import { useRef } from 'preact/hooks';
import { useCanvas } from '../frame/useCanvas.js';
import { type Camera, panned } from './camera.js';
import { type Drawn, type Found, visitBoxes } from './drawn.js';
import { graphInk } from './graphInk.js';
import type { Size } from './layout.js';
import { camera } from './navigation.js';

interface Props {
  readonly root: Drawn;
  readonly selected: Found | null;
  now(): Camera;
  go(camera: Camera): void;
  screen(): Size;
}

const WIDTH = 72;
const HEIGHT = 220;
/** Smallest side of a box that is drawn, CSS pixels. */
const SMALLEST = 1.5;

/** The whole model and which part of it is in sight; a click or a drag goes there. Hidden while all of it is. */
export function Minimap({ root, selected, now, go, screen }: Props) {
  const scale = Math.min(WIDTH / root.width, HEIGHT / root.height);
  const [width, height] = [root.width * scale, root.height * scale];
  const canvas = useCanvas((context) => {
    const ink = graphInk();
    visitBoxes(root, ({ box, x, y, around }) => {
      if (around.length > 0) {
        context.fillStyle = box.inner ? 'transparent' : ink.tones[box.label.tone];
        context.strokeStyle = ink.line;
        context.fillRect(x * scale, y * scale, Math.max(1, box.width * scale), Math.max(1, box.height * scale));
        if (box.inner) context.strokeRect(x * scale, y * scale, box.width * scale, box.height * scale);
      }
      return Math.min(box.width, box.height) * scale > SMALLEST;
    });
    if (selected) {
      context.fillStyle = ink.focus;
      context.fillRect(selected.x * scale - 1, selected.y * scale - 1, Math.max(3, selected.box.width * scale), 3);
    }
    const view = now();
    const seen = screen();
    context.strokeStyle = ink.text;
    context.strokeRect(
      (-view.dx / view.scale) * scale + 0.5,
      (-view.dy / view.scale) * scale + 0.5,
      (seen.width / view.scale) * scale,
      (seen.height / view.scale) * scale,
    );
  });
  const dragged = useRef(false);
  void camera.value;
  const seen = screen();
  const { scale: at } = now();
  if (root.width * at <= seen.width && root.height * at <= seen.height) return null;
  const move = (event: PointerEvent) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return;
    const view = now();
    const [x, y] = [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
    go(panned(view, seen.width / 2 - (x * view.scale + view.dx), seen.height / 2 - (y * view.scale + view.dy)));
  };
  return (
    <canvas
      ref={canvas}
      class="graph-minimap"
      role="img"
      aria-label="The whole model, and which part of it is in sight"
      style={{ width: `${Math.ceil(width) + 1}px`, height: `${Math.ceil(height) + 1}px` }}
      onPointerDown={(event) => {
        event.stopPropagation();
        dragged.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={(event) => {
        event.stopPropagation();
        if (dragged.current) move(event);
      }}
      onPointerUp={(event) => {
        event.stopPropagation();
        dragged.current = false;
      }}
    />
  );
}
