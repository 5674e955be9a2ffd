import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import './bars.css';
import './series.css';
import type { SharedColumns } from './heatmap.js';
import { movedCell } from './moves.js';
import { compact } from './numbers.js';
import { RowTable } from './rowTable.js';
import { ink } from './theme.js';
import { Tools } from './tools.js';

export interface Line {
  readonly label: string;
  /** One value a token; what is not finite is a gap. */
  readonly values: ArrayLike<number>;
  text(value: number): string;
}

export interface SeriesProps {
  /** What the lines are, with the unit: they share the vertical axis. */
  readonly label: string;
  /** Keep the array between renders. */
  readonly lines: readonly Line[];
  /** The token strip's axis. */
  readonly columns: SharedColumns;
  readonly hovered: number | null;
  readonly selected: number | null;
  /** Vertical axis; by default from 0 (or the least value) to the largest. */
  readonly range?: readonly [lo: number, hi: number];
  readonly log?: boolean;
  readonly height?: number;
  onHover(token: number | null): void;
  onSelect(token: number): void;
}

/** Values over tokens, in line with the token strip: pointing at either shows the token in both. */
export function Series(props: SeriesProps) {
  const { label, lines, columns, hovered, selected, height = 64, onHover, onSelect } = props;
  const host = useRef<HTMLDivElement>(null);
  const asTable = useSignal(false);
  const count = lines[0]?.values.length ?? 0;
  const ends = useMemo(
    () => props.range ?? rangeOf(lines, props.log ?? false),
    [lines, props.range?.[0], props.range?.[1], props.log],
  );
  usePlot(host, props, ends, height, asTable.value);

  const shown = hovered ?? selected;
  const reading = lines.map(({ label: name, values, text }) => {
    const value = shown === null ? undefined : values[shown];
    return `${lines.length > 1 ? `${name} ` : ''}${value === undefined ? '' : text(value)}`;
  });
  const tokenAt = (event: MouseEvent) => {
    const left = host.current?.getBoundingClientRect().left ?? 0;
    const token = Math.floor(columns.first + (event.clientX - left) / columns.width);
    return token >= 0 && token < count ? token : null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moved = movedCell(event, { row: 0, col: selected ?? 0 }, 1, count, 1);
    if (moved) onSelect(moved.col);
    else if (event.key === 't') asTable.value = !asTable.value;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart series">
      <Tools asTable={asTable} />
      <div class="series-head">
        <span>{label}</span>
        <span class="series-value">{reading.join(' · ')}</span>
      </div>
      {asTable.value && (
        <RowTable
          label={label}
          rowName="token"
          columns={lines.map((line) => line.label)}
          rows={count}
          text={(row, column) => lines[column]?.text(lines[column].values[row] ?? Number.NaN) ?? ''}
          close={() => {
            asTable.value = false;
          }}
        />
      )}
      <div
        ref={host}
        class="series-stage"
        hidden={asTable.value}
        role="application"
        aria-roledescription="chart over tokens"
        aria-label={`${label} over ${count} tokens. Arrow keys walk the tokens, t shows a table. ${reading.join(', ')}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its tokens
        tabIndex={0}
        style={{ height: `${height}px` }}
        onKeyDown={onKeyDown}
        onMouseMove={(event) => onHover(tokenAt(event))}
        onMouseLeave={() => onHover(null)}
        onClick={(event) => {
          const token = tokenAt(event);
          if (token !== null) onSelect(token);
        }}
      >
        <span class="series-end top">{compact(ends[1])}</span>
        <span class="series-end bottom">{compact(ends[0])}</span>
      </div>
    </div>
  );
}

/** Magnitudes stand on 0; what goes below it gets its own floor; a log axis begins at the smallest positive value. */
function rangeOf(lines: readonly Line[], log: boolean): readonly [lo: number, hi: number] {
  let [lo, hi] = [log ? Infinity : 0, log ? 0 : -Infinity];
  for (const { values } of lines) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? Number.NaN;
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      lo = Math.min(lo, value);
      hi = Math.max(hi, value);
    }
  }
  if (log) return hi > 0 ? [lo, hi === lo ? lo * 10 : hi] : [1, 10];
  return hi > lo ? [lo, hi] : [lo, lo + 1];
}

/** Width per token in CSS pixels from which each value is a dot. */
const DOTS_FROM = 7;

type Host = { readonly current: HTMLDivElement | null };

function usePlot(host: Host, props: SeriesProps, ends: readonly [number, number], height: number, hidden: boolean): void {
  const { lines, columns, log = false } = props;
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const width = columns.pixels;

  useEffect(() => {
    if (!host.current || width === 0 || hidden) return;
    const made = new uPlot(
      {
        width,
        height,
        padding: [3, 0, 3, 0],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: false, auto: false }, y: { auto: false, range: [...ends], distr: log ? 3 : 1 } },
        series: [{}, ...lines.map((_, index) => lineStyle(index, latest))],
        hooks: { drawClear: [(u) => drawTokens(u, latest.current)] },
      },
      dataOf(lines),
      host.current,
    );
    plot.current = made;
    made.setScale('x', visible(latest.current.columns));
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [lines, width, height, log, ends, hidden, ink.value]);
  useLayoutEffect(() => plot.current?.setScale('x', visible(columns)), [columns.first, columns.width]);
  useLayoutEffect(() => plot.current?.redraw(false), [props.hovered, props.selected]);
}

const visible = ({ first, width, pixels }: SharedColumns) => ({ min: first, max: first + pixels / width });

const lineStyle = (index: number, latest: { readonly current: SeriesProps }): uPlot.Series => ({
  stroke: ink.value.series[index % ink.value.series.length] ?? ink.value.text,
  width: 1.5,
  points: { show: () => latest.current.columns.width >= DOTS_FROM || latest.current.lines[0]?.values.length === 1, size: 4 },
});

/** Values stand in the middle of their token. */
function dataOf(lines: readonly Line[]): uPlot.AlignedData {
  const xs = Array.from({ length: lines[0]?.values.length ?? 0 }, (_, token) => token + 0.5);
  return [xs, ...lines.map(({ values }) => Array.from(values, (value) => (Number.isFinite(value) ? value : null)))];
}

/** Bands under the lines: where the pointer is, and the selected token. */
function drawTokens(u: uPlot, { hovered, selected, columns }: SeriesProps): void {
  const { ctx, bbox } = u;
  const band = (token: number, colour: string, opacity: number) => {
    const x = u.valToPos(token, 'x', true);
    ctx.globalAlpha = opacity;
    ctx.fillStyle = colour;
    ctx.fillRect(x, bbox.top, Math.max(devicePixelRatio, columns.width * devicePixelRatio - 1), bbox.height);
    ctx.globalAlpha = 1;
  };
  if (hovered !== null) band(hovered, ink.value.text, 0.18);
  if (selected !== null) band(selected, ink.value.focus, 0.55);
}
