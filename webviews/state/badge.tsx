import { relativeError, TOLERANCE } from './update.js';

export interface BadgeProps {
  /** What must hold, e.g. `y = C·h + D·x`. */
  readonly formula: string;
  readonly error: number;
  readonly magnitude: number;
  /** What is compared, as a tooltip. */
  readonly title: string;
}

/** A check that holds exactly in theory: its error relative to the numbers compared, and clearly when it does not hold. */
export function Badge({ formula, error, magnitude, title }: BadgeProps) {
  const relative = relativeError({ error, magnitude });
  const holds = relative <= TOLERANCE;
  return (
    <span
      class={holds ? 'badge' : 'badge broken'}
      title={`${title} Largest difference ${error.toExponential(1)}, largest value ${magnitude.toPrecision(3)}.`}
    >
      <code>{formula}</code> <i class={`codicon codicon-${holds ? 'check' : 'warning'}`} aria-hidden="true" />{' '}
      {holds
        ? relative === 0
          ? 'holds exactly'
          : `holds to ${relative.toExponential(0)}`
        : `does not hold: relative error ${relative.toExponential(1)}`}
    </span>
  );
}
