import type { Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import './heatmap.css';
import { type Copying, isCopyKey, useCopying } from './copying.js';
import { useGestures } from './gestures.js';
import { type Cell, valueAt } from './grid.js';
import { GridTable } from './gridTable.js';
import type { HeatmapProps } from './heatmapProps.js';
import { movedCell } from './moves.js';
import { exact } from './numbers.js';
import { fitsClipboard, tabbedMatrix } from './tabbed.js';
import { Tools } from './tools.js';
import { type HeatmapState, useHeatmap } from './useHeatmap.js';
import { useTwin } from './useTwin.js';

/** Any matrix, from one cell to millions: zoom, pan, cursor by mouse and keys, reading, table twin. */
export function Heatmap(props: HeatmapProps) {
  const { rows, cols, rowName, colName, selected = null } = props;
  const stage = useRef<HTMLDivElement>(null);
  const asTable = useTwin(stage);
  const map = useHeatmap(props, stage, asTable.value);
  const { cursor, zoom, movable } = map;
  const copies = useCopying(() => tabbedMatrix(props));
  const copying = fitsClipboard(props) ? copies : null;
  const move = (cell: Cell | null) => {
    if (cell?.row === cursor.value?.row && cell?.col === cursor.value?.col) return;
    cursor.value = cell;
    props.onHover?.(cell);
  };
  // The table takes over the cursor when it takes the place of the picture.
  const leave = () => {
    if (!asTable.value) move(null);
  };
  useGestures(stage, {
    movable,
    zoom,
    pan: map.pan,
    hover: (x, y) => move(map.at(x, y)),
    leave,
    click: (x, y) => {
      const cell = map.at(x, y);
      if (cell) props.onSelect?.(cell);
    },
  });
  const onKeyDown = (event: KeyboardEvent) => {
    if (!takeKey(event, props, map, asTable, copying, move)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const said = reading(props, cursor.value);
  const size = `${rows} ${rowName} rows, ${cols} ${colName} columns`;
  return (
    <div class={asTable.value ? 'heatmap as-table' : 'heatmap'}>
      <Tools
        asTable={asTable}
        zoom={zoom}
        fit={props.columns && !props.columns.rows ? undefined : map.showAll}
        copying={copying}
      />
      {asTable.value && <Twin {...props} cursor={cursor} asTable={asTable} />}
      <div
        ref={stage}
        class={movable ? 'heatmap-stage zoomed' : 'heatmap-stage'}
        hidden={asTable.value}
        role="application"
        aria-roledescription="heat map"
        aria-label={`${props.label}. ${size}. Arrow keys walk the cells, t shows a table, c copies the numbers.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its cells
        tabIndex={0}
        style={{ height: `${map.height}px` }}
        onKeyDown={onKeyDown}
        onBlur={leave}
      >
        <canvas ref={map.base} />
        <canvas ref={map.over} />
      </div>
      {props.reading !== false && <div class="chart-reading">{said || reading(props, selected) || '\u00a0'}</div>}
      <div class="visually-hidden" aria-live="polite">
        {said}
      </div>
    </div>
  );
}

/** Does what a key asks of the picture; returns whether the key was one of its own. */
function takeKey(
  event: KeyboardEvent,
  { rows, cols, selected = null, onSelect }: HeatmapProps,
  map: HeatmapState,
  asTable: Signal<boolean>,
  copying: Copying | null,
  move: (cell: Cell | null) => void,
): boolean {
  const { cursor, zoom } = map;
  const from = cursor.value ?? selected;
  const moved = movedCell(event, from ?? { row: 0, col: 0 }, rows, cols, map.page);
  if (moved) {
    const cell = from ? moved : { row: 0, col: 0 };
    move(cell);
    map.goTo(cell);
  } else if ((event.key === 'Enter' || event.key === ' ') && cursor.value) onSelect?.(cursor.value);
  else if (event.key === '+' || event.key === '=') zoom(1.5);
  else if (event.key === '-') zoom(1 / 1.5);
  else if (event.key === '0') map.showAll();
  else if (event.key === 't') asTable.value = true;
  else if (copying && isCopyKey(event)) copying.run();
  else if (event.key === 'Escape' && cursor.value) move(null);
  else return false;
  return true;
}

type TwinProps = HeatmapProps & { readonly cursor: Signal<Cell | null>; readonly asTable: Signal<boolean> };

function Twin({ cursor, asTable, ...props }: TwinProps) {
  const text = (cell: Cell): string => {
    const value = valueAt(props.tiles, cell);
    return value === undefined ? '…' : exact(value);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only the key that leads back
    <div
      onKeyDown={(event) => {
        if (event.key !== 't' && event.key !== 'Escape') return;
        event.stopPropagation();
        asTable.value = false;
      }}
    >
      <GridTable
        {...props}
        rowLabel={props.rowLabel ?? String}
        colLabel={props.colLabel ?? String}
        text={text}
        cursor={cursor.value}
        onCursor={(cell) => {
          cursor.value = cell;
          props.onHover?.(cell);
        }}
      />
    </div>
  );
}

function reading({ tiles, rowName, colName, describe, absent = 'not loaded' }: HeatmapProps, cell: Cell | null): string {
  if (!cell) return '';
  const value = valueAt(tiles, cell);
  if (value === undefined) return `${rowName} ${cell.row}, ${colName} ${cell.col}: ${absent}`;
  return describe ? describe(cell, value) : `${rowName} ${cell.row}, ${colName} ${cell.col}: ${exact(value)}`;
}
