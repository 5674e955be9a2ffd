import { useLayoutEffect, useRef } from 'preact/hooks';
import { range, useScroll } from './useScroll.js';

interface RowList {
  readonly count: number;
  /** CSS pixels of a row, and of the heading that stays above them. */
  readonly row: number;
  /** The selected row, which comes into sight when it changes; −1 for none. */
  readonly at: number;
}

/** A long table: rows `from`…`to` − 1 are on screen, and keys move the selected one. */
export function useRowList({ count, row, at }: RowList) {
  const host = useRef<HTMLDivElement>(null);
  const { top, height } = useScroll(host);
  const [from, to] = range(top, height, row, count);
  useLayoutEffect(() => {
    const element = host.current;
    if (!element || at < 0) return;
    const [above, below] = [at * row, (at + 2) * row];
    if (above < element.scrollTop) element.scrollTop = above;
    else if (below > element.scrollTop + element.clientHeight) element.scrollTop = below - element.clientHeight;
  }, [at, row]);
  /** Where an arrow, Page, Home or End key goes; null for other keys, and where there are no rows. */
  const moved = ({ key }: KeyboardEvent): number | null => {
    const page = Math.max(1, Math.floor(height / row) - 2);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: count - 1,
    };
    const next = steps[key];
    return next === undefined || count === 0 ? null : Math.max(0, Math.min(count - 1, next));
  };
  return { host, from, to, moved };
}
