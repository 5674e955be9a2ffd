import { type Signal, useSignal } from '@preact/signals';
import { orTell, request } from '../host.js';

/** How the numbers of a picture get to where a person goes on with them. */
export interface Copying {
  /** True for a moment afterwards. */
  readonly done: Signal<boolean>;
  run(): void;
}

const SEEN_MS = 1500;

/** `text`: the numbers as a table, asked for when somebody copies. */
export function useCopying(text: () => string): Copying {
  const done = useSignal(false);
  const run = async () => {
    await request('host/copyText', { text: text() });
    done.value = true;
    setTimeout(() => {
      done.value = false;
    }, SEEN_MS);
  };
  return { done, run: () => orTell(run()) };
}

/** `c` alone: with Control it copies what is selected in the page. */
export const isCopyKey = ({ key, ctrlKey, metaKey }: KeyboardEvent): boolean => key === 'c' && !ctrlKey && !metaKey;
