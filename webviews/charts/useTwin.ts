import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** Whether a chart shows its numbers as a table. The focus goes with it: tables take it, and here it comes back. */
export function useTwin(stage: RefObject<HTMLElement | null>): Signal<boolean> {
  const asTable = useSignal(false);
  const was = useRef(false);
  useEffect(() => {
    if (was.current && !asTable.value) stage.current?.focus();
    was.current = asTable.value;
  }, [stage, asTable.value]);
  return asTable;
}
