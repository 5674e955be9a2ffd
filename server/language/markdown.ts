/** Pieces of Markdown that hovers are made of. */
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** 1234567 → `1.23 MB`. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${UNITS[power]}`;
}

export const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`;

export const numberText = (value: number): string =>
  Number.isInteger(value)
    ? String(value)
    : Math.abs(value) >= 0.01 && Math.abs(value) < 1e5
      ? value.toPrecision(4)
      : value.toExponential(2);

/** Inline code, whatever backticks the text holds: names and values come from files that nobody vouches for. */
export function codeSpan(text: string): string {
  const line = text.replace(/[\r\n]+/g, ' ');
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${line}${pad}${fence}`;
}

/** A token as inline code, its spaces, line breaks and control characters made visible. */
export function tokenSpan(text: string): string {
  const visible = text
    .replace(/\r/g, '␍')
    .replace(/\n/g, '⏎')
    .replace(/\t/g, '⇥')
    .replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll(' ', '·');
  return visible === '' ? '(empty)' : codeSpan(visible);
}

/** Text that Markdown must not read. */
export const plain = (text: string): string => text.replace(/[\\`*_{}[\]()<>#+!|~]/g, '\\$&').replace(/[\r\n]+/g, ' ');

/** A cell of a table: pipes would end it, even in code. */
export const cell = (text: string): string => text.replaceAll('|', '\\|');

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
