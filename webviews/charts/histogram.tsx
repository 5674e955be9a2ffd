import { useSignal } from '@preact/signals';
import { ColumnChart } from './columnChart.js';
import { compact, exact } from './numbers.js';
import { ink } from './theme.js';

export interface HistogramProps {
  /** n + 1 edges of n bins, rising. */
  readonly edges: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
  readonly label: string;
  /** Of the values: "weight". */
  readonly unit: string;
  readonly height?: number;
}

const BASE = 16;

/** How often values occur. Heights are log(1 + count): a single outlier in millions can be seen. */
export function Histogram({ edges, counts, label, unit, height = 110 }: HistogramProps) {
  const cursor = useSignal<number | null>(null);
  const bins = counts.length;
  const most = Math.log1p(Array.from(counts).reduce((a, b) => Math.max(a, b), 0)) || 1;
  const draw = (context: CanvasRenderingContext2D, width: number) => {
    const step = width / Math.max(1, bins);
    for (let bin = 0; bin < bins; bin++) {
      const tall = (Math.log1p(counts[bin] ?? 0) / most) * (height - BASE - 2);
      context.fillStyle = bin === cursor.value ? ink.value.text : (ink.value.series[0] ?? ink.value.text);
      context.fillRect(bin * step, height - BASE - tall, Math.max(1, step - (step > 3 ? 1 : 0)), tall);
    }
    drawEdges(context, width, height, edges);
  };
  const described = (bin: number) =>
    `${exact(edges[bin] ?? 0)} … ${exact(edges[bin + 1] ?? 0)}: ${(counts[bin] ?? 0).toLocaleString('en')} values`;
  const onKey = (event: KeyboardEvent) => {
    const from = cursor.value ?? -1;
    if (event.key === 'ArrowRight') cursor.value = Math.min(bins - 1, from + 1);
    else if (event.key === 'ArrowLeft') cursor.value = Math.max(0, from - 1);
    else if (event.key === 'Home') cursor.value = 0;
    else if (event.key === 'End') cursor.value = bins - 1;
    else return false;
    return true;
  };
  return (
    <ColumnChart
      kind="histogram"
      description={`${label}. ${bins} bins of ${unit}. Arrow keys walk the bins, t shows a table, c copies the numbers.`}
      height={height}
      table={{
        label,
        columns: ['from', 'to', 'values'],
        rows: bins,
        text: (row, column) => (column === 2 ? String(counts[row]) : exact(edges[row + column] ?? 0)),
      }}
      cursor={cursor}
      reading={cursor.value === null ? `${unit}; heights are logarithmic` : described(cursor.value)}
      draw={draw}
      itemAt={(x, width) => Math.max(0, Math.min(bins - 1, Math.floor((x / width) * bins)))}
      onKey={onKey}
    />
  );
}

function drawEdges(context: CanvasRenderingContext2D, width: number, height: number, edges: ArrayLike<number>): void {
  const [lo, hi] = [edges[0] ?? 0, edges[edges.length - 1] ?? 0];
  context.fillStyle = ink.value.line;
  context.fillRect(0, height - BASE, width, 1);
  context.fillStyle = ink.value.quiet;
  context.font = ink.value.small;
  context.textBaseline = 'bottom';
  const write = (value: number, align: CanvasTextAlign, x: number) => {
    context.textAlign = align;
    context.fillText(compact(value), x, height);
  };
  write(lo, 'left', 0);
  write(hi, 'right', width);
  if (lo >= 0 || hi <= 0) return;
  const zero = (-lo / (hi - lo)) * width;
  context.fillRect(zero, height - BASE, 1, 4);
  if (zero > 60 && zero < width - 60) write(0, 'center', zero);
}
