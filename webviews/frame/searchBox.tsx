import type { Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  readonly label: string;
  readonly placeholder: string;
  /** Null closes the search. */
  readonly query: Signal<string | null>;
  /** How many were found, and which of them is selected: −1 for none. */
  readonly found: number;
  readonly position: number;
  step(back: boolean): void;
}

/** A field to search with: Enter goes on, Shift+Enter back, Esc closes. */
export function SearchBox({ label, placeholder, query, found, position, step }: Props) {
  const input = useRef<HTMLInputElement>(null);
  // Before the next key is typed.
  useLayoutEffect(() => input.current?.focus(), []);
  const place = found > 0 ? `${position >= 0 ? position + 1 : '–'} of ${found}` : 'No results';
  return (
    <search class="strip-search">
      <input
        ref={input}
        type="text"
        aria-label={label}
        placeholder={placeholder}
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
      <span role="status">{query.value ? place : ''}</span>
    </search>
  );
}
