import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** CSS pixels. */
export interface Scrolled {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What of a scrolling element is on screen: tables draw only that. */
export function useScroll(ref: RefObject<HTMLElement | null>): Scrolled {
  const at = useSignal<Scrolled>({ left: 0, top: 0, width: 0, height: 0 });
  // Before the first paint, or a table would show its first few cells for a moment.
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const read = () => {
      at.value = { left: element.scrollLeft, top: element.scrollTop, width: element.clientWidth, height: element.clientHeight };
    };
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    read();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, [ref, at]);
  return at.value;
}

/** Indices on screen with some to spare, of `count` items of `size` pixels. */
export function range(from: number, room: number, size: number, count: number, spare = 4): readonly [from: number, to: number] {
  const first = Math.max(0, Math.floor(from / size) - spare);
  return [Math.min(first, count), Math.min(count, Math.ceil((from + room) / size) + spare)];
}
