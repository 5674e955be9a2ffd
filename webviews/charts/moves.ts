import type { Cell } from './grid.js';

/** Where an arrow, Page, Home or End key (with Ctrl: of the whole grid) moves the cursor; null for other keys. */
export function movedCell(event: KeyboardEvent, from: Cell, rows: number, cols: number, page: number): Cell | null {
  if (event.altKey) return null;
  const whole = event.ctrlKey || event.metaKey;
  const to = (row: number, col: number): Cell => ({
    row: Math.max(0, Math.min(rows - 1, row)),
    col: Math.max(0, Math.min(cols - 1, col)),
  });
  const step = event.shiftKey ? 10 : 1;
  switch (event.key) {
    case 'ArrowLeft':
      return to(from.row, from.col - step);
    case 'ArrowRight':
      return to(from.row, from.col + step);
    case 'ArrowUp':
      return to(from.row - step, from.col);
    case 'ArrowDown':
      return to(from.row + step, from.col);
    case 'PageUp':
      return to(from.row - page, from.col);
    case 'PageDown':
      return to(from.row + page, from.col);
    case 'Home':
      return to(whole ? 0 : from.row, 0);
    case 'End':
      return to(whole ? rows - 1 : from.row, cols - 1);
    default:
      return null;
  }
}
