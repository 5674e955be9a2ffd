import type { Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import './bars.css';
import { type Draw, useCanvas } from '../frame/useCanvas.js';
import { isCopyKey, useCopying } from './copying.js';
import { RowTable, type RowTableProps } from './rowTable.js';
import { tabbedRows } from './tabbed.js';
import { Tools } from './tools.js';
import { useTwin } from './useTwin.js';

export interface ColumnChartProps {
  /** What kind of chart it is, and what it shows, in words. */
  readonly kind: string;
  readonly description: string;
  /** CSS pixels. */
  readonly height: number;
  readonly table: Omit<RowTableProps, 'close'>;
  /** Item that the pointer or the keys are at. */
  readonly cursor: Signal<number | null>;
  readonly reading: string;
  readonly draw: Draw;
  /** Item at `x` of `width`, CSS pixels from the left of the picture. */
  itemAt(x: number, width: number): number;
  /** Returns whether the key was one of the chart's. */
  onKey(event: KeyboardEvent): boolean;
}

/** A picture with one column an item: cursor by mouse and keys, reading, table twin. */
export function ColumnChart({ kind, description, height, table, cursor, reading, draw, itemAt, onKey }: ColumnChartProps) {
  const stage = useRef<HTMLDivElement>(null);
  const asTable = useTwin(stage);
  const copying = useCopying(() => tabbedRows(table));
  const canvas = useCanvas(draw);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 't') asTable.value = true;
    else if (isCopyKey(event)) copying.run();
    else if (!onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart">
      <Tools asTable={asTable} copying={copying} />
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
          role="application"
          aria-roledescription={kind}
          aria-label={description}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its columns
          tabIndex={0}
          onKeyDown={onKeyDown}
          onMouseMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            cursor.value = itemAt(event.clientX - box.left, box.width);
          }}
          onMouseLeave={() => {
            cursor.value = null;
          }}
        >
          <canvas ref={canvas} style={{ height: `${height}px` }} />
        </div>
      )}
      <div class="chart-reading" aria-live="polite">
        {reading}
      </div>
    </div>
  );
}
