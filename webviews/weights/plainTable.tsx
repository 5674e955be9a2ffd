import type { ComponentChildren } from 'preact';
import './plainTable.css';

export interface PlainTableProps {
  readonly label: string;
  readonly columns: readonly string[];
  /** Cells of each row; the first names it. */
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** A few numbers with their names. */
export const PlainTable = ({ label, columns, rows }: PlainTableProps) => (
  <table class="plain-table" aria-label={label}>
    <thead>
      <tr>
        {columns.map((column) => (
          <th key={column} scope="col">
            {column}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {rows.map(([name, ...cells], row) => (
        <tr key={row}>
          <th scope="row">{name}</th>
          {cells.map((cell, column) => (
            <td key={column} data-column={columns[column + 1]}>
              {cell}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);
