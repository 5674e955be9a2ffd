import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
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

/** CSS pixels. */
const ROW = 20;
const COLUMN = 100;
const HEADER = 96;

/** The numbers behind a picture as a real table of any size: only what is on screen is in the page. */
export function GridTable(props: GridTableProps) {
  const { label, rows, cols, rowName, colName, rowLabel, colLabel, cursor } = props;
  const ref = useRef<HTMLDivElement>(null);
  const scrolled = useScroll(ref);
  const [row0, row1] = range(scrolled.top, scrolled.height, ROW, rows);
  const [col0, col1] = range(scrolled.left, scrolled.width, COLUMN, cols);
  const columns = Array.from({ length: col1 - col0 }, (_, i) => col0 + i);
  useReveal(ref, cursor);
  useEffect(() => ref.current?.querySelector('table')?.focus(), []);
  return (
    <div ref={ref} class="grid-table" style={{ height: `${Math.min(420, (rows + 1) * ROW + 18)}px` }}>
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a real table that arrow keys walk is a grid
        role="grid"
        tabIndex={0}
        onKeyDown={(event) => onKey(event, props, Math.floor(scrolled.height / ROW) - 2)}
        aria-label={label}
        aria-rowcount={rows + 1}
        aria-colcount={cols + 1}
        aria-activedescendant={cursor ? idOf(cursor) : undefined}
        style={{ width: `${HEADER + cols * COLUMN}px` }}
      >
        <thead>
          <tr>
            <th style={{ width: `${HEADER}px` }}>{`${rowName} \\ ${colName}`}</th>
            {col0 > 0 && <td style={{ width: `${col0 * COLUMN}px` }} />}
            {columns.map((col) => (
              <th key={col} scope="col" aria-colindex={col + 2} style={{ width: `${COLUMN}px`, left: 'auto' }}>
                {colLabel(col)}
              </th>
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          <tr style={{ height: `${row0 * ROW}px` }} />
          {Array.from({ length: row1 - row0 }, (_, i) => row0 + i).map((row) => (
            <tr key={row} aria-rowindex={row + 2}>
              <th scope="row">{rowLabel(row)}</th>
              {col0 > 0 && <td />}
              {columns.map((col) => (
                <BodyCell key={col} {...props} cell={{ row, col }} />
              ))}
            </tr>
          ))}
          <tr style={{ height: `${(rows - row1) * ROW}px` }} />
        </tbody>
      </table>
    </div>
  );
}

function onKey(event: KeyboardEvent, { rows, cols, cursor, onCursor, onSelect }: GridTableProps, page: number): void {
  const at = cursor ?? { row: 0, col: 0 };
  const moved = movedCell(event, at, rows, cols, Math.max(1, page));
  if (moved) onCursor(moved);
  else if (event.key === 'Enter' || event.key === ' ') onSelect?.(at);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function useReveal(ref: { readonly current: HTMLElement | null }, cursor: Cell | null): void {
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element || !cursor) return;
    const along = (at: number, size: number, head: number, from: number, room: number) =>
      at < from ? at : Math.max(from, at + size + head - room);
    element.scrollLeft = along(cursor.col * COLUMN, COLUMN, HEADER, element.scrollLeft, element.clientWidth);
    element.scrollTop = along(cursor.row * ROW, ROW, ROW, element.scrollTop, element.clientHeight);
  }, [ref, cursor]);
}

const idOf = ({ row, col }: Cell): string => `cell-${row}-${col}`;

function BodyCell({ cell, cursor, selected = null, text, onCursor, onSelect }: GridTableProps & { readonly cell: Cell }) {
  const is = (other: Cell | null) => other !== null && other.row === cell.row && other.col === cell.col;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the table, which has the focus
    <td
      id={idOf(cell)}
      aria-colindex={cell.col + 2}
      aria-current={is(selected)}
      class={is(selected) ? 'selected' : is(cursor) ? 'active' : undefined}
      onClick={() => {
        onCursor(cell);
        onSelect?.(cell);
      }}
    >
      {text(cell)}
    </td>
  );
}
