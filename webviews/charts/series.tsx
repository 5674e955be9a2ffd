import type { Signal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import './bars.css';
import './series.css';
import { useCanvas } from '../frame/useCanvas.js';
import { isCopyKey, useCopying } from './copying.js';
import { movedCell } from './moves.js';
import { compact, exact } from './numbers.js';
import { RowTable } from './rowTable.js';
import { type DrawnSeries, drawSeries, type Line, rangeOf } from './seriesDrawing.js';
import { tabbedRows } from './tabbed.js';
import { Tools } from './tools.js';
import { useTwin } from './useTwin.js';

export interface SeriesProps extends DrawnSeries {
  /** What the lines are, with the unit: they share the vertical axis. */
  readonly label: string;
  /** Vertical axis; by default from 0 (or the least value) to the largest. */
  readonly range?: readonly [lo: number, hi: number];
  readonly height?: number;
  onHover(token: number | null): void;
  onSelect(token: number): void;
}

/** Values over tokens, in line with the token strip: pointing at either shows the token in both. */
export function Series(props: SeriesProps) {
  const { label, lines, columns, hovered, selected, height = 64, onHover, onSelect } = props;
  const stage = useRef<HTMLDivElement>(null);
  const asTable = useTwin(stage);
  const count = lines[0]?.values.length ?? 0;
  const copying = useCopying(() =>
    tabbedRows({
      label,
      rowName: 'token',
      columns: lines.map((line) => line.label),
      rows: count,
      text: (row, column) => exact(lines[column]?.values[row] ?? Number.NaN),
    }),
  );
  const ends = useMemo(
    () => props.range ?? rangeOf(lines, props.log ?? false),
    [lines, props.range?.[0], props.range?.[1], props.log],
  );
  const canvas = useCanvas((context, width) => drawSeries(context, width, height, props, ends));

  const shown = hovered ?? selected;
  const reading = readingsAt(lines, shown);
  const tokenAt = (event: MouseEvent) => {
    const left = canvas.current?.getBoundingClientRect().left ?? 0;
    const token = Math.floor(columns.first + (event.clientX - left) / columns.width);
    return token >= 0 && token < count ? token : null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moved = movedCell(event, { row: 0, col: selected ?? 0 }, 1, count, 1);
    if (moved) onSelect(moved.col);
    else if (event.key === 't') asTable.value = !asTable.value;
    else if (isCopyKey(event)) copying.run();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart series">
      <Tools asTable={asTable} copying={copying} />
      <div class="series-head">
        <span>{label}</span>
        <span class="series-value">{reading.join(' · ')}</span>
        <span class="series-ends">
          {compact(ends[0])} to {compact(ends[1])}
          {props.log && ', log'}
        </span>
      </div>
      {asTable.value && <Twin label={label} lines={lines} asTable={asTable} />}
      <div
        ref={stage}
        class="series-stage"
        hidden={asTable.value}
        role="application"
        aria-roledescription="chart over tokens"
        aria-label={`${label} over ${count} tokens. Arrow keys walk the tokens, t shows a table, c copies the numbers. ${reading.join(', ')}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its tokens
        tabIndex={0}
        onKeyDown={onKeyDown}
        onMouseMove={(event) => onHover(tokenAt(event))}
        onMouseLeave={() => onHover(null)}
        onClick={(event) => {
          const token = tokenAt(event);
          if (token !== null) onSelect(token);
        }}
      >
        <canvas ref={canvas} style={{ height: `${height}px` }} />
      </div>
    </div>
  );
}

/** What each line says at a token: its name too where there are several. */
const readingsAt = (lines: readonly Line[], token: number | null): readonly string[] =>
  lines.map(({ label, values, text }) => {
    const value = token === null ? undefined : values[token];
    return `${lines.length > 1 ? `${label} ` : ''}${value === undefined ? '' : text(value)}`;
  });

interface TwinProps {
  readonly label: string;
  readonly lines: readonly Line[];
  readonly asTable: Signal<boolean>;
}

const Twin = ({ label, lines, asTable }: TwinProps) => (
  <RowTable
    label={label}
    rowName="token"
    columns={lines.map((line) => line.label)}
    rows={lines[0]?.values.length ?? 0}
    text={(row, column) => lines[column]?.text(lines[column].values[row] ?? Number.NaN) ?? ''}
    close={() => {
      asTable.value = false;
    }}
  />
);
