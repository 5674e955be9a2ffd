const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** 46,080 → 46 kB; decimal units, three digits. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(value % 1 < 0.05 ? 0 : 1) : value.toPrecision(2)} ${UNITS[unit]}`;
}

/** 12345.678 → 12,346; small numbers keep three significant digits. NaN and infinities stay visible. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value).replace('Infinity', '∞');
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3) return value.toExponential(1).replace('-', '−').replace('e−', 'e-');
  if (size >= 1000) return Math.round(value).toLocaleString('en').replace('-', '−');
  return String(Number(value.toPrecision(3))).replace('-', '−');
}
