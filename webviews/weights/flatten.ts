export interface Fact {
  /** Dotted path of the value. */
  readonly path: string;
  readonly value: string;
}

/** Longer lists (vocabularies in a GGUF header) are named by their length and their first items. */
const LIST = 12;
const TEXT = 400;

/** A JSON object as dotted paths and values, in its own order. */
export function flatten(value: unknown, path = ''): readonly Fact[] {
  if (Array.isArray(value) && !value.some(isObject)) return [{ path, value: list(value) }];
  if (Array.isArray(value) && value.length > LIST) return [{ path, value: `${value.length.toLocaleString('en')} items` }];
  if (isObject(value) || Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [{ path, value: '{}' }];
    return entries.flatMap(([key, item]) => flatten(item, path ? `${path}.${key}` : key));
  }
  return [{ path, value: text(value) }];
}

function list(items: readonly unknown[]): string {
  const shown = items.slice(0, LIST).map(text).join(', ');
  return items.length > LIST ? `${items.length.toLocaleString('en')} items: ${shown}, …` : `[${shown}]`;
}

function text(value: unknown): string {
  const said =
    typeof value === 'string' ? value : typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return said.length > TEXT ? `${said.slice(0, TEXT)}… (${said.length.toLocaleString('en')} characters)` : said;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
