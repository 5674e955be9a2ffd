import { isPooled, type Tile, valueAt } from './grid.js';
import type { HeatmapProps } from './heatmapProps.js';
import type { RowTableProps } from './rowTable.js';

/** Tables as text for spreadsheets and programs: tabs between columns, numbers that they read. */

const line = (cells: readonly string[]): string => cells.map((cell) => cell.replaceAll(/[\t\n]/g, ' ')).join('\t');
const named = (count: number, name: (index: number) => string): string[] => Array.from({ length: count }, (_, i) => name(i));

/** As shown, with the minus sign that programs know. */
export function tabbedRows({ rowName = '', rowLabel = String, columns, rows, text }: Omit<RowTableProps, 'close'>): string {
  const head = line([rowName, ...columns]);
  const lines = named(rows, (row) =>
    line([rowLabel(row), ...columns.map((_, column) => text(row, column).replaceAll('−', '-'))]),
  );
  return [head, ...lines].join('\n');
}

/** Beyond so many cells a picture is a map, and a file is the better place for its numbers. */
const MOST_CELLS = 1 << 18;

export const fitsClipboard = ({ rows, cols, tiles }: Pick<HeatmapProps, 'rows' | 'cols' | 'tiles'>): boolean =>
  rows * cols <= MOST_CELLS && tiles.some((tile) => !isPooled(tile));

type Matrix = Pick<HeatmapProps, 'rows' | 'cols' | 'rowName' | 'colName' | 'rowLabel' | 'colLabel' | 'lower'> & {
  readonly tiles: readonly Tile[];
};

/** Every cell with all digits of fp32; empty where there is nothing, or nothing but a value of several cells was loaded. */
export function tabbedMatrix(matrix: Matrix): string {
  const { rows, cols, tiles, rowName, colName, rowLabel = String, colLabel = String, lower = false } = matrix;
  const single = tiles.filter((tile) => !isPooled(tile));
  const digits = (row: number, col: number): string => {
    const value = lower && col > row ? undefined : valueAt(single, { row, col });
    return value === undefined ? '' : String(Number(value.toPrecision(9)));
  };
  const head = line([`${rowName} \\ ${colName}`, ...named(cols, colLabel)]);
  const lines = named(rows, (row) => line([rowLabel(row), ...named(cols, (col) => digits(row, col))]));
  return [head, ...lines].join('\n');
}
