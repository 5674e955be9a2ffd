import { signal } from '@preact/signals';
import { persisted } from '../host.js';

/** The one time axis of a view: the token strip and every picture over tokens are drawn with it, so they stay in line. */
export interface Axis {
  /** Leftmost token on screen; fractional while scrolling. */
  readonly first: number;
  /** CSS pixels per token. */
  readonly width: number;
}

export const DEFAULT_WIDTH = 18;
const WIDTHS = { min: 0.02, max: 120 } as const;

const isAxis = (value: unknown): value is Axis =>
  typeof value === 'object' && value !== null && Number.isFinite((value as Axis).first) && Number.isFinite((value as Axis).width);

export const axis = persisted<Axis>('axis', { first: 0, width: DEFAULT_WIDTH }, isAxis);
/** CSS pixels of the strip; 0 before it is laid out. */
export const axisPixels = signal(0);

const clampFirst = (first: number, width: number, count: number): number =>
  Math.max(0, Math.min(first, count - Math.max(1, axisPixels.value / width)));

/** CSS x of the left edge of `token`, from the left edge of the strip. */
export const xOf = (token: number, at: Axis = axis.value): number => (token - at.first) * at.width;
/** Token under CSS x, or null outside 0…count−1. */
export function tokenAt(x: number, count: number, at: Axis = axis.value): number | null {
  const token = Math.floor(at.first + x / at.width);
  return token >= 0 && token < count ? token : null;
}
/** Tokens that are at least partly on screen: from … to − 1. */
export function tokensOnScreen(count: number, at: Axis = axis.value): readonly [from: number, to: number] {
  return [Math.max(0, Math.floor(at.first)), Math.min(count, Math.ceil(at.first + axisPixels.value / at.width))];
}

export function scrollBy(pixels: number, count: number): void {
  const { first, width } = axis.value;
  axis.value = { first: clampFirst(first + pixels / width, width, count), width };
}
export function scrollTo(first: number, count: number): void {
  axis.value = { first: clampFirst(first, axis.value.width, count), width: axis.value.width };
}

/** Zooms so that the token under CSS x stays there; out at most until all tokens fit into `pixels`. */
export function zoomBy(factor: number, x: number, count: number, pixels: number = axisPixels.value): void {
  const { first, width } = axis.value;
  const least = Math.min(DEFAULT_WIDTH, pixels / Math.max(1, count));
  const next = Math.max(Math.max(WIDTHS.min, least), Math.min(WIDTHS.max, width * factor));
  axis.value = { first: clampFirst(first + x / width - x / next, next, count), width: next };
}
/** All tokens in `pixels` (the strip's width), at most the default width each. */
export function fitAll(count: number, pixels: number = axisPixels.value): void {
  axis.value = { first: 0, width: Math.min(DEFAULT_WIDTH, pixels / Math.max(1, count)) };
}

/** Scrolls just enough to see `token`; to what is farther than a strip away so that it stands in the middle, with what is around it. */
export function reveal(token: number, count: number): void {
  if (axisPixels.value === 0) return;
  const { first, width } = axis.value;
  const visible = axisPixels.value / width;
  if (token < first - visible || token > first + 2 * visible) scrollTo(token + 0.5 - visible / 2, count);
  else if (token < first) scrollTo(token, count);
  else if (token + 1 > first + visible) scrollTo(token + 1 - visible, count);
}
