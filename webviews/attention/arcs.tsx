import { ink } from '../charts/theme.js';
import { axis, xOf } from '../frame/axis.js';
import { useCanvas } from '../frame/useCanvas.js';

/** Weights below this are not drawn: they add up to little and hide the others. */
const LEAST = 0.01;
const HEIGHT = 44;
/** From so many arcs on, lines are thin: thick ones would be one blot. */
const MANY = 12;

export interface Arc {
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/** From tokens to those they read, over the strip: a wider and stronger line carries more weight. */
export function Arcs({ arcs }: { readonly arcs: readonly Arc[] }) {
  const at = axis.value;
  const drawn = arcs.filter(({ weight }) => weight >= LEAST);
  const canvas = useCanvas((context, width, height) => {
    context.strokeStyle = ink.value.series[0] ?? ink.value.text;
    for (const { query, key, weight } of drawn) {
      const [start, end] = [xOf(key + 0.5, at), xOf(query + 0.5, at)];
      if (Math.max(start, end) < 0 || Math.min(start, end) > width) continue;
      context.globalAlpha = Math.min(1, 0.25 + 0.75 * weight);
      // between neighbours a thick line would fill its own arch
      const thick = Math.min(5 * weight, Math.abs(end - start) / 4);
      context.lineWidth = drawn.length > MANY ? 1 : Math.max(0.75, thick);
      const top = height - 2 - Math.min(height - 4, 8 + Math.abs(end - start) / 3);
      context.beginPath();
      context.moveTo(end, height);
      context.bezierCurveTo(end, top, start, top, start, height);
      context.stroke();
    }
    context.globalAlpha = 1;
  });
  return (
    <div aria-hidden="true">
      <canvas ref={canvas} class="arcs" style={{ height: `${HEIGHT}px` }} />
    </div>
  );
}
