const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

const two = (value: number): string => String(value).padStart(2, '0');
const DAY_MS = 86_400_000;

const FIELDS: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => (DAYS[date.getDay()] as string).slice(0, 3),
  A: (date) => DAYS[date.getDay()] as string,
  b: (date) => (MONTHS[date.getMonth()] as string).slice(0, 3),
  B: (date) => MONTHS[date.getMonth()] as string,
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  j: (date) => {
    const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
    return String((Date.UTC(year, month, day) - Date.UTC(year, 0, 0)) / DAY_MS).padStart(3, '0');
  },
  m: (date) => two(date.getMonth() + 1),
  M: (date) => two(date.getMinutes()),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  S: (date) => two(date.getSeconds()),
  y: (date) => two(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  '%': () => '%',
};

/** A date as Python's strftime says it, in English whatever the locale of the editor is; a field that it lacks stays as written. */
export const strftime = (date: Date, format: string): string =>
  format.replace(/%(.)/g, (whole, field: string) => FIELDS[field]?.(date) ?? whole);
