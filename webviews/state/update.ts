import type { StateStep } from '../../server/protocol/inspect.js';
import { compact, exact } from '../charts/numbers.js';

/** Values of the update at one element; null where this mixer has no such term. */
export interface Terms {
  readonly after: number;
  readonly before: number;
  readonly decay: number | null;
  readonly removal: number | null;
  readonly write: number | null;
}

type Pictures = Pick<StateStep, 'after' | 'before' | 'decay' | 'removal' | 'write'>;

export const termsAt = ({ after, before, decay, removal, write }: Pictures, index: number): Terms => ({
  after: after.data[index] ?? Number.NaN,
  before: before.data[index] ?? Number.NaN,
  decay: decay?.data[index] ?? null,
  removal: removal?.data[index] ?? null,
  write: write?.data[index] ?? null,
});

/** decay · before − removal + write, with the terms there are. */
export const sumOf = ({ before, decay, removal, write }: Terms): number => (decay ?? 1) * before - (removal ?? 0) + (write ?? 0);

/** Only matrix states are updated by a sum; windows and shifts move. */
export const isSum = (step: Pictures): boolean => step.decay !== null || step.write !== null;

/** Largest difference between the state and the sum of its terms, and the largest state: how exact the pictures are. */
export function sumError(step: Pictures): { readonly error: number; readonly magnitude: number } {
  let [error, magnitude] = [0, 0];
  for (let index = 0; index < step.after.data.length; index++) {
    const terms = termsAt(step, index);
    const difference = Math.abs(terms.after - sumOf(terms));
    // NaN must not pass as a small error.
    if (!(difference <= error)) error = Number.isNaN(difference) ? Infinity : difference;
    magnitude = Math.max(magnitude, Math.abs(terms.after));
  }
  return { error, magnitude };
}

/** The update with its numbers in it: "0.61 = 0.98 × 0.55 − 0.01 + 0.08". */
export function spelled(terms: Terms): string {
  const { after, before, decay, removal, write } = terms;
  const term = (sign: string, value: number | null) => (value === null ? '' : ` ${sign} ${signed(value)}`);
  const product = decay === null ? signed(before) : `${compact(decay)} × ${signed(before)}`;
  return `${exact(after)} = ${product}${term('−', removal)}${term('+', write)}`;
}

const signed = (value: number): string => (value < 0 ? `(${compact(value)})` : compact(value));

/** Errors of fp32 sums stay below this share of the largest number. */
export const TOLERANCE = 1e-4;

export const relativeError = ({ error, magnitude }: { readonly error: number; readonly magnitude: number }): number =>
  error === 0 ? 0 : magnitude > 0 ? error / magnitude : Infinity;

/** Frobenius norm. */
export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) ** 2;
  return Math.sqrt(sum);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return values.length > 0 ? sum / values.length : 0;
}
