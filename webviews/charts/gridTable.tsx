import { useLayoutEffect, useRef } from 'preact/hooks';
import './gridTable.css';
import type { Cell } from './grid.js';
import { movedCell } from './moves.js';
import { range, useScroll } from './useScroll.js';

export interface GridTableProps {
  readonly label: string;
  readonly rows: number;
  readonly cols: number;
  /** What a row and a column stand for: "head", "position". */
  readonly rowName: string;
  readonly colName: string;
  readonly rowLabel: (row: number) => string;
  readonly colLabel: (col: number) => string;
  readonly text: (cell: Cell) => string;
  readonly cursor: Cell | null;
  readonly selected?: Cell | null;
  onCursor(cell: Cell): void;
  onSelect?(cell: Cell): void;
}

const ROW = 20;
const COLUMN = 76;
const HEADER = 96;

/** The numbers behind a picture as a real table: any size, only what is on screen is in the page. */
export function GridTable(props: GridTableProps) {
  const { label, rows, cols, rowName, colName, rowLabel, colLabel, cursor, onCursor, onSelect } = props;
  const ref = useRef<HTMLDivElement>(null);
  const scrolled = useScroll(ref);
  const [row0, row1] = range(scrolled.top, scrolled.height, ROW, rows);
  const [col0, col1] = range(scrolled.left, scrolled.width, COLUMN, cols);
  const at = cursor ?? { row: 0, col: 0 };
  const columns = Array.from({ length: col1 - col0 }, (_, i) => col0 + i);

  useLayoutEffect(() => {
    const element = ref.current;
    if (!element || !cursor) return;
    const [x, y] = [cursor.col * COLUMN, cursor.row * ROW];
    if (x < element.scrollLeft) element.scrollLeft = x;
    else if (x + COLUMN + HEADER > element.scrollLeft + element.clientWidth)
      element.scrollLeft = x + COLUMN + HEADER - element.clientWidth;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + 2 * ROW > element.scrollTop + element.clientHeight) element.scrollTop = y + 2 * ROW - element.clientHeight;
  }, [cursor]);

  const onKeyDown = (event: KeyboardEvent) => {
    const moved = movedCell(event, at, rows, cols, Math.max(1, Math.floor(scrolled.height / ROW) - 2));
    if (moved) onCursor(moved);
    else if (event.key === 'Enter' || event.key === ' ') onSelect?.(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a <table> cannot leave out rows that are not on screen
    <div
      ref={ref}
      class="grid-table"
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={rows + 1}
      aria-colcount={cols + 1}
      aria-activedescendant={cursor ? `cell-${cursor.row}-${cursor.col}` : undefined}
      onKeyDown={onKeyDown}
      style={{ height: `${Math.min(420, (rows + 1) * ROW + 18)}px` }}
    >
      <div role="row" aria-rowindex={1} class="grid-head" style={{ width: `${HEADER + cols * COLUMN}px` }}>
        <span role="columnheader" style={{ left: 0, width: `${HEADER}px` }}>{`${rowName} \\ ${colName}`}</span>
        {columns.map((col) => (
          <span
            key={col}
            role="columnheader"
            aria-colindex={col + 2}
            style={{ left: `${HEADER + col * COLUMN}px`, width: `${COLUMN}px` }}
          >
            {colLabel(col)}
          </span>
        ))}
      </div>
      {Array.from({ length: row1 - row0 }, (_, i) => row0 + i).map((row) => (
        <div
          key={row}
          role="row"
          aria-rowindex={row + 2}
          style={{ position: 'absolute', top: `${(row + 1) * ROW}px`, width: `${HEADER + cols * COLUMN}px` }}
        >
          <span role="rowheader" style={{ width: `${HEADER}px` }}>
            {rowLabel(row)}
          </span>
          {columns.map((col) => (
            <BodyCell key={col} {...props} cell={{ row, col }} />
          ))}
        </div>
      ))}
      <div style={{ height: `${rows * ROW}px` }} />
    </div>
  );
}

function BodyCell({ cell, cursor, selected = null, text, onCursor, onSelect }: GridTableProps & { readonly cell: Cell }) {
  const is = (other: Cell | null) => other !== null && other.row === cell.row && other.col === cell.col;
  return (
    // biome-ignore lint/a11y: keys are handled by the grid, which has the focus
    <span
      id={`cell-${cell.row}-${cell.col}`}
      role="gridcell"
      aria-colindex={cell.col + 2}
      aria-selected={is(selected)}
      class={is(selected) ? 'selected' : is(cursor) ? 'active' : undefined}
      style={{ left: `${HEADER + cell.col * COLUMN}px`, width: `${COLUMN}px` }}
      onClick={() => {
        onCursor(cell);
        onSelect?.(cell);
      }}
    >
      {text(cell)}
    </span>
  );
}
