import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { type Ground, NOT_FINITE, TABLE_SIZE, type Table, table } from './palette.js';

/** sequential: magnitudes ≥ 0. diverging: signed values around a neutral 0. */
export type ScaleKind = 'sequential' | 'diverging';

/** What a person may change in the legend. */
export interface ScaleSettings {
  readonly log: boolean;
  /** Quantile of |value| at the end of the scale: 1 shows everything, 0.99 gives up the largest hundredth. */
  readonly clip: number;
}

export const DEFAULT_SETTINGS: ScaleSettings = { log: false, clip: 1 };

/** Where values lie: of the finite ones, plus how many are not. */
export interface Spread {
  /** Values that are drawn, sorted by magnitude (a sample when there are very many). */
  readonly magnitudes: Float32Array;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly notFinite: number;
}

export interface ColourScale {
  readonly kind: ScaleKind;
  readonly log: boolean;
  /** Values at the ends of the colour table; larger ones are clipped to it. */
  readonly lo: number;
  readonly hi: number;
  readonly table: Table;
  readonly notFinite: readonly [number, number, number];
  /** 0…1 along the table; NaN for a value that is not finite. */
  position(value: number): number;
  /** The value at a position: for ticks of the legend. */
  value(position: number): number;
}

const SAMPLE = 65536;

/** Looks at every value once; sorts at most 65,536 of them, evenly spread. */
export function spread(parts: readonly ArrayLike<number>[]): Spread {
  let [min, max, count, notFinite] = [Infinity, -Infinity, 0, 0];
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const stride = Math.max(1, Math.ceil(total / SAMPLE));
  const kept = new Float32Array(Math.ceil(total / stride) + parts.length);
  let used = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i] ?? 0;
      if (!Number.isFinite(value)) {
        notFinite++;
        continue;
      }
      count++;
      if (value < min) min = value;
      if (value > max) max = value;
      if (i % stride === 0) kept[used++] = Math.abs(value);
    }
  }
  if (count === 0) return { magnitudes: new Float32Array(0), min: 0, max: 0, count, notFinite };
  return { magnitudes: kept.slice(0, used).sort(), min, max, count, notFinite };
}

/** Of sorted values; q in 0…1, 0 for none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return 0;
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? 0;
  return low + ((sorted[Math.min(below + 1, sorted.length - 1)] ?? low) - low) * (at - below);
}

/** Smallest magnitude a log scale tells from 0, as a fraction of the largest. */
const LOG_DEPTH = 1e-4;

/** Ends of the scale for these values. `fixed` overrides them where a quantity has natural ends (weights: 0…1). */
export function colourScale(
  kind: ScaleKind,
  values: Spread,
  settings: ScaleSettings,
  ground: Ground,
  fixed?: readonly [lo: number, hi: number],
): ColourScale {
  const top = fixed?.[1] ?? (settings.clip >= 1 ? Math.max(values.max, -values.min) : quantile(values.magnitudes, settings.clip));
  const hi = top > 0 ? top : 1;
  const floor = settings.log ? logFloor(values, hi) : 0;
  const lo = kind === 'diverging' ? -hi : Math.max(fixed?.[0] ?? 0, floor);
  const shared = { kind, log: settings.log, lo, hi, table: table(kind, ground), notFinite: NOT_FINITE[ground] };
  if (kind === 'sequential') return { ...shared, ...(settings.log ? logAxis(lo, hi) : linearAxis(lo, hi)) };
  return { ...shared, ...(settings.log ? signedLogAxis(floor, hi) : linearAxis(lo, hi)) };
}

type Axis = Pick<ColourScale, 'position' | 'value'>;

/** Clamped to 0…1; infinities must not be clamped into the table. `along` is looked up for every pixel, the other way for a few ticks. */
function axis(scale: ScaleContinuousNumeric<number, number>, lo: number, hi: number, along: (value: number) => number): Axis {
  const clamped = scale.domain([lo, hi]).range([0, 1]).clamp(true);
  return {
    position: (value) => (Number.isFinite(value) ? Math.max(0, Math.min(1, along(value))) : Number.NaN),
    value: (position) => clamped.invert(position),
  };
}

const linearAxis = (lo: number, hi: number): Axis => axis(scaleLinear(), lo, hi, (value) => (value - lo) / (hi - lo));

/** What is not positive lies at the bottom. */
function logAxis(lo: number, hi: number): Axis {
  const depth = Math.log(hi / lo);
  const { position, value } = axis(scaleLog(), lo, hi, (x) => Math.log(x / lo) / depth);
  return { position: (x) => position(x <= lo ? lo : x), value };
}

/** log of |value| on each side, linear (neutral) below `floor`. */
function signedLogAxis(floor: number, hi: number): Axis {
  const side = logAxis(floor, hi);
  return {
    position: (value) => 0.5 + 0.5 * Math.sign(value) * side.position(Math.abs(value)),
    value: (position) => (position === 0.5 ? 0 : Math.sign(position - 0.5) * side.value(Math.abs(2 * position - 1))),
  };
}

function logFloor(values: Spread, hi: number): number {
  const smallest = values.magnitudes.find((magnitude) => magnitude > 0) ?? hi * LOG_DEPTH;
  return Math.min(Math.max(smallest, hi * LOG_DEPTH), hi / 2);
}

/** Colours as RGBA bytes for a picture; `out` has 4 bytes a value. */
export function paint(values: ArrayLike<number>, scale: ColourScale, out: Uint8ClampedArray): void {
  const { table: colours, notFinite } = scale;
  for (let i = 0; i < values.length; i++) {
    const position = scale.position(values[i] ?? Number.NaN);
    const to = 4 * i;
    if (Number.isNaN(position)) {
      out[to] = notFinite[0];
      out[to + 1] = notFinite[1];
      out[to + 2] = notFinite[2];
    } else {
      const from = 4 * Math.round(position * (TABLE_SIZE - 1));
      out[to] = colours[from] ?? 0;
      out[to + 1] = colours[from + 1] ?? 0;
      out[to + 2] = colours[from + 2] ?? 0;
    }
    out[to + 3] = 255;
  }
}

/** One value's colour for the DOM. */
export function cssColour(scale: ColourScale, value: number): string {
  const pixel = new Uint8ClampedArray(4);
  paint([value], scale, pixel);
  return `rgb(${pixel[0]} ${pixel[1]} ${pixel[2]})`;
}
