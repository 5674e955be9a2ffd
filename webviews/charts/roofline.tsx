import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import './bars.css';
import './roofline.css';
import { useCanvas } from '../frame/useCanvas.js';
import { isCopyKey, useCopying } from './copying.js';
import { compact } from './numbers.js';
import { drawRoofline, nearestPoint, plotOf, type Roof, type RooflinePoint } from './rooflineDrawing.js';
import { RowTable } from './rowTable.js';
import { tabbedRows } from './tabbed.js';
import { ink } from './theme.js';
import { Tools } from './tools.js';
import { useTwin } from './useTwin.js';

export interface RooflineProps extends Roof {
  readonly points: readonly RooflinePoint[];
  readonly kinds: readonly string[];
  readonly label: string;
}

const HEIGHT = 300;
const COLUMNS = ['kind', 'FLOP', 'bytes', 'FLOP/byte', 'predicted ms', 'measured ms', 'error %'];

/** Williams, Waterman & Patterson 2009: how fast work can be, by how much it computes for each byte. Both axes are logarithmic. */
export function Roofline(props: RooflineProps) {
  const { points, kinds, label } = props;
  const stage = useRef<HTMLDivElement>(null);
  const asTable = useTwin(stage);
  const cursor = useSignal<number | null>(null);
  const drawn = points.filter(({ flops, bytes }) => flops > 0 && bytes > 0);
  const table = {
    label,
    rowName: 'part',
    rowLabel: (row: number) => points[row]?.name ?? '',
    columns: COLUMNS,
    rows: points.length,
    text: (row: number, column: number) => cells(points[row], kinds)[column] ?? '',
  };
  const copying = useCopying(() => tabbedRows(table));
  const canvas = useCanvas((context, width, height) =>
    drawRoofline(context, plotOf(props, drawn, width, height), drawn, cursor.value),
  );
  void cursor.value;
  const at = cursor.value === null ? undefined : drawn[cursor.value];
  const go = (index: number) => {
    cursor.value = Math.max(0, Math.min(drawn.length - 1, index));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 't') asTable.value = true;
    else if (isCopyKey(event)) copying.run();
    else if (event.key === 'ArrowRight' || event.key === 'ArrowDown') go((cursor.value ?? -1) + 1);
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') go((cursor.value ?? 1) - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(drawn.length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart roofline">
      <Tools asTable={asTable} copying={copying} />
      <Legend {...props} />
      {asTable.value ? (
        <RowTable
          {...table}
          close={() => {
            asTable.value = false;
          }}
        />
      ) : (
        <div
          ref={stage}
          class="chart-stage"
          role="img"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its points
          tabIndex={0}
          aria-label={label}
          onKeyDown={onKeyDown}
          onMouseMove={(event) => {
            const box = canvas.current?.getBoundingClientRect();
            if (!box) return;
            const plot = plotOf(props, drawn, box.width, box.height);
            cursor.value = nearestPoint(plot, drawn, event.clientX - box.left, event.clientY - box.top);
          }}
        >
          <canvas ref={canvas} style={{ height: `${HEIGHT}px` }} />
        </div>
      )}
      <p class="note roofline-reading" role="status">
        {at ? reading(at, kinds) : 'Arrow keys walk the points; t shows the numbers as a table, c copies them.'}
      </p>
    </div>
  );
}

function Legend({ kinds, bandwidth, peak }: RooflineProps) {
  return (
    <p class="note">
      {kinds.map((kind, i) => (
        <span key={kind}>
          <i class="roofline-mark" style={{ borderColor: ink.value.series[i] }} /> {kind}
        </span>
      ))}
      <span>ring predicted, dot measured</span>
      <span>
        roof {compact(bandwidth / 1e9)} GB/s{peak !== null && `, ${compact(peak / 1e9)} GFLOP/s`}
      </span>
      <span>x FLOP/byte, y FLOP/s, both logarithmic</span>
    </p>
  );
}

const ms = (seconds: number | null): string => (seconds === null ? '' : compact(seconds * 1000));

/** How far the prediction is from what was measured, of what was measured. */
export const errorOf = ({ predicted, measured }: Pick<RooflinePoint, 'predicted' | 'measured'>): number | null =>
  predicted === null || measured === null ? null : (predicted - measured) / measured;

const errorText = (point: RooflinePoint): string => {
  const error = errorOf(point);
  return error === null ? '' : `${error < 0 ? '−' : '+'}${Math.abs(error * 100).toFixed(0)}`;
};

function cells(point: RooflinePoint | undefined, kinds: readonly string[]): readonly string[] {
  if (!point) return [];
  const { kind, flops, bytes, predicted, measured } = point;
  return [
    kinds[kind] ?? '',
    compact(flops),
    compact(bytes),
    compact(flops / bytes),
    ms(predicted),
    ms(measured),
    errorText(point),
  ];
}

function reading(point: RooflinePoint, kinds: readonly string[]): string {
  const { name, kind, flops, bytes, predicted, measured } = point;
  const times = [
    predicted === null ? '' : `predicted ${ms(predicted)} ms`,
    measured === null ? '' : `measured ${ms(measured)} ms (prediction ${errorText(point)} %)`,
  ].filter(Boolean);
  return `${name}, ${kinds[kind]}: ${compact(flops / bytes)} FLOP/byte, ${times.join(', ')}`;
}
