import { signal } from '@preact/signals';
import { persisted } from '../host.js';
import type { Camera } from './camera.js';

/** What is open, selected and in sight; it survives a reload of the view. */

const isIds = (value: unknown): value is readonly string[] | null =>
  value === null || (Array.isArray(value) && value.every((id) => typeof id === 'string'));
const isId = (value: unknown): value is string | null => value === null || typeof value === 'string';
const isCamera = (value: unknown): value is Camera | null =>
  value === null ||
  (typeof value === 'object' && ['dx', 'dy', 'scale'].every((key) => Number.isFinite((value as Record<string, unknown>)[key])));
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

/** Null until a person opened or closed something: the view chooses. */
export const opened = persisted<readonly string[] | null>('open', null, isIds);
export const chosen = persisted<string | null>('chosen', null, isId);
/** Null shows the whole model. */
export const camera = persisted<Camera | null>('camera', null, isCamera);
export const sizesShown = persisted<boolean>('sizes', false, isFlag);
export const asTable = persisted<boolean>('table', false, isFlag);
export const hovered = signal<string | null>(null);
export const query = signal<string | null>(null);

/** The segment of an id, and what of it is meant: `b3/n17` → [`b3`, `/n17`]. */
export function partsOfId(id: string): readonly [segment: string, inner: string] {
  const at = id.indexOf('/');
  return at < 0 ? [id, ''] : [id.slice(0, at), id.slice(at)];
}
