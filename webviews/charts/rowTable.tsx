import { useSignal } from '@preact/signals';
import type { Cell } from './grid.js';
import { GridTable } from './gridTable.js';

export interface RowTableProps {
  readonly label: string;
  /** What a row stands for; by default only its number. */
  readonly rowName?: string;
  readonly rowLabel?: (row: number) => string;
  readonly columns: readonly string[];
  readonly rows: number;
  text(row: number, column: number): string;
  /** `t` or Esc: back to the picture. */
  close(): void;
}

/** Table twin of charts that have a few columns. */
export function RowTable({ label, rowName = '', rowLabel = String, columns, rows, text, close }: RowTableProps) {
  const cursor = useSignal<Cell | null>(null);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only the key that leads back
    <div
      onKeyDown={(event) => {
        if (event.key !== 't' && event.key !== 'Escape') return;
        event.stopPropagation();
        close();
      }}
    >
      <GridTable
        label={label}
        rows={rows}
        cols={columns.length}
        rowName={rowName}
        colName=""
        rowLabel={rowLabel}
        colLabel={(col) => columns[col] ?? ''}
        text={({ row, col }) => text(row, col)}
        cursor={cursor.value}
        onCursor={(cell) => {
          cursor.value = cell;
        }}
      />
    </div>
  );
}
