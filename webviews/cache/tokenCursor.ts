import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Cell } from '../charts/grid.js';
import { hover } from '../frame/selection.js';

/** A cursor whose column is the token that is pointed at in any picture of this view; `first` is the token of column 0. */
export function useTokenCursor(first: number, cols: number, row: number): Signal<Cell | null> {
  const cursor = useSignal<Cell | null>(null);
  const token = hover.value;
  useEffect(() => {
    const col = token === null ? -1 : token - first;
    if (col < 0 || col >= cols) cursor.value = null;
    else if (cursor.value?.col !== col) cursor.value = { row, col };
  }, [token, first, cols, row, cursor]);
  return cursor;
}
