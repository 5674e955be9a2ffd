import type { Signal } from '@preact/signals';
import { useWindowKeys } from './frame.js';
import { SearchBox } from './searchBox.js';

/** `/` opens the search from anywhere in the view but a field. */
export function useSearchKey(query: Signal<string | null>): void {
  useWindowKeys((event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    query.value = '';
  });
}

interface Props {
  /** Null closes the search. */
  readonly query: Signal<string | null>;
  readonly found: readonly number[];
  readonly current: number | null;
  go(token: number): void;
}

/** Search in the text of all tokens. */
export function TokenSearch({ query, found, current, go }: Props) {
  const step = (back: boolean) => {
    const from = current ?? -1;
    const next = back
      ? (found.findLast((token) => token < from) ?? found.at(-1))
      : (found.find((token) => token > from) ?? found[0]);
    if (next !== undefined) go(next);
  };
  const position = current === null ? -1 : found.indexOf(current);
  return (
    <SearchBox
      label="Search in the tokens"
      placeholder="Search tokens"
      query={query}
      found={found.length}
      position={position}
      step={step}
    />
  );
}
