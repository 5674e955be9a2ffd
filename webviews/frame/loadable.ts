import type { LabErrorData } from '../../server/protocol/errors.js';
import type { Progress } from '../host.js';

/** Something asked for: every view shows all four states. */
export type Loadable<T> =
  | { readonly state: 'idle' }
  /** `previous` keeps the old picture on screen while the next one is computed. */
  | { readonly state: 'loading'; readonly progress: Progress | null; readonly previous: T | null; cancel(): void }
  | { readonly state: 'failed'; readonly error: LabErrorData; retry(): void }
  | { readonly state: 'ready'; readonly value: T };

/** The value to draw now: the loaded one, or while loading the one before. */
export const shownValue = <T>(loadable: Loadable<T>): T | null =>
  loadable.state === 'ready' ? loadable.value : loadable.state === 'loading' ? loadable.previous : null;
