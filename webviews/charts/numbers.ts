/** At most four characters of digits: for cells, axes and legends. */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e4 || size < 1e-3) return minus(value.toExponential(size >= 1e100 || size < 1e-99 ? 0 : 1).replace('e+', 'e'));
  return minus(String(Number(value.toPrecision(3))));
}

/** Six significant digits: where one looks a number up. */
export function exact(value: number): string {
  if (!Number.isFinite(value)) return compact(value);
  const rounded = Number(value.toPrecision(6));
  const small = rounded !== 0 && Math.abs(rounded) < 1e-3;
  return minus((small ? rounded.toExponential() : String(rounded)).replace('e+', 'e'));
}

/** A hyphen is not a minus sign, and is cut from its number at line ends. */
const minus = (text: string): string => text.replaceAll('-', '−');

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Decimal units, three digits: 1536 → 1.54 kB. */
export function bytes(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

const COUNTS = ['', ' k', ' M', ' B', ' T'] as const;

/** Parameters and the like: 135e6 → 135 M. */
export function count(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < COUNTS.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : Number(scaled.toPrecision(3))}${COUNTS[unit]}`;
}

/** A whole number of things: 1,092 tokens. */
export const many = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

export const shape = (sizes: readonly (number | string)[]): string => (sizes.length ? sizes.join(' × ') : 'scalar');
