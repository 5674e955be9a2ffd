import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ink } from '../charts/theme.js';

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void;

/** A canvas at device resolution that is drawn after every render, resize, zoom and theme change. Sizes in CSS pixels. */
export function useCanvas(draw: Draw): RefObject<HTMLCanvasElement | null> {
  const ref = useRef<HTMLCanvasElement>(null);
  const [, resized] = useState(0);
  void ink.value;
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(() => resized((n) => n + 1));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d');
    if (!canvas || !context) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    const pixels = [Math.round(width * scale), Math.round(height * scale)] as const;
    if (canvas.width !== pixels[0]) canvas.width = pixels[0];
    if (canvas.height !== pixels[1]) canvas.height = pixels[1];
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    if (width > 0 && height > 0) draw(context, width, height);
  });
  return ref;
}
