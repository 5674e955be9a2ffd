import type { Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useWindowKeys } from './frame.js';

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

/** Search in the text of all tokens: Enter goes on, Shift+Enter back, Esc closes. */
export function TokenSearch({ query, found, current, go }: Props) {
  const input = useRef<HTMLInputElement>(null);
  // Before the next key is typed.
  useLayoutEffect(() => input.current?.focus(), []);
  const step = (back: boolean) => {
    const from = current ?? -1;
    const next = back
      ? (found.findLast((token) => token < from) ?? found.at(-1))
      : (found.find((token) => token > from) ?? found[0]);
    if (next !== undefined) go(next);
  };
  const position = current === null ? -1 : found.indexOf(current);
  return (
    <search class="strip-search">
      <input
        ref={input}
        type="text"
        aria-label="Search in the tokens"
        placeholder="Search tokens"
        value={query.value ?? ''}
        onInput={(event) => {
          query.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Enter') step(event.shiftKey);
          else if (event.key === 'Escape') query.value = null;
        }}
      />
      <span role="status">
        {query.value ? (found.length ? `${position >= 0 ? position + 1 : '–'} of ${found.length}` : 'No results') : ''}
      </span>
    </search>
  );
}
