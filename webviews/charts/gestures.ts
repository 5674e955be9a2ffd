import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** CSS pixels from the element's corner. */
export interface Gestures {
  zoom(factor: number, x: number, y: number): void;
  pan(dx: number, dy: number): void;
  hover(x: number, y: number): void;
  leave(): void;
  click(x: number, y: number): void;
  /** Whether a drag or a plain wheel may move the picture: else they belong to the page. */
  readonly movable: boolean;
  /** A plain wheel moves the picture in both directions and only a pinch zooms: for what is longer than the screen. */
  readonly scrolls?: boolean;
}

/** Movement in CSS pixels up to which a press is a click. */
const CLICK = 4;

/** Mouse, touch pad and touch: wheel and pinch zoom, drag pans, a press without movement is a click. */
export function useGestures(ref: RefObject<HTMLElement | null>, gestures: Gestures): void {
  const latest = useRef(gestures);
  latest.current = gestures;
  useEffect(() => (ref.current ? listen(ref.current, () => latest.current) : undefined), [ref]);
}

function listen(element: HTMLElement, gestures: () => Gestures): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  const at = (event: MouseEvent) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const stop = new AbortController();
  const options = { signal: stop.signal };

  element.addEventListener(
    'wheel',
    (event) => {
      const { x, y } = at(event);
      const pinch = event.ctrlKey || event.metaKey;
      if (!pinch && !gestures().movable && element !== document.activeElement) return;
      event.preventDefault();
      if (gestures().scrolls && !pinch)
        gestures().pan(-event.deltaX - (event.shiftKey ? event.deltaY : 0), event.shiftKey ? 0 : -event.deltaY);
      else if (event.shiftKey) gestures().pan(-event.deltaY - event.deltaX, 0);
      else if (!pinch && Math.abs(event.deltaX) > Math.abs(event.deltaY)) gestures().pan(-event.deltaX, 0);
      else gestures().zoom(Math.exp(-event.deltaY * (pinch && Math.abs(event.deltaY) < 30 ? 0.02 : 0.003)), x, y);
    },
    { ...options, passive: false },
  );
  element.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, at(event));
      travelled = 0;
      element.setPointerCapture(event.pointerId);
    },
    options,
  );
  element.addEventListener(
    'pointermove',
    (event) => {
      const before = pointers.get(event.pointerId);
      const now = at(event);
      if (!before) return gestures().hover(now.x, now.y);
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, now);
      travelled += Math.hypot(now.x - before.x, now.y - before.y);
      if (other) pinchTo(gestures(), before, now, other);
      else if (travelled > CLICK && gestures().movable) gestures().pan(now.x - before.x, now.y - before.y);
    },
    options,
  );
  const release = (event: PointerEvent) => {
    const wasDown = pointers.delete(event.pointerId);
    const { x, y } = at(event);
    if (wasDown && event.type === 'pointerup' && travelled <= CLICK && pointers.size === 0) gestures().click(x, y);
  };
  element.addEventListener('pointerup', release, options);
  element.addEventListener('pointercancel', release, options);
  element.addEventListener('pointerleave', () => gestures().leave(), options);
  return () => stop.abort();
}

type Point = { readonly x: number; readonly y: number };

function pinchTo(gestures: Gestures, before: Point, now: Point, other: Point): void {
  const distance = (point: Point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
  gestures.zoom(distance(now) / distance(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
}
