/** What a place in source code is. For strings, `start` and `end` bound the content between the quotes. */
export interface Place {
  readonly kind: 'code' | 'string' | 'comment';
  readonly start: number;
  readonly end: number;
}

const PYTHON = new Set(['python']);
const C_LIKE = new Set(['javascript', 'javascriptreact', 'typescript', 'typescriptreact']);

export const isCode = (language: string): boolean => PYTHON.has(language) || C_LIKE.has(language);

/** Comments and strings, in the order in which they can start. Sticky groups: 1 comment, 2 string’s opening quote. */
const python = /(#[^\n]*)|('''|"""|'|")/g;
const cLike = /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(['"`])/g;

/** Comments and strings of a text; everything else is code. Regular expression literals are taken for code. */
export function* placesOf(text: string, language: string): Generator<Place> {
  const opening = new RegExp(PYTHON.has(language) ? python : cLike);
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    const [whole, comment, quote] = match;
    if (comment !== undefined) {
      yield { kind: 'comment', start: match.index, end: match.index + whole.length };
      continue;
    }
    const start = match.index + whole.length;
    const end = closing(text, start, quote as string);
    yield { kind: 'string', start, end };
    opening.lastIndex = end + (text.startsWith(quote as string, end) ? (quote as string).length : 0);
  }
}

/** Where the string that starts here ends: at its quote, at the end of the line for one-line quotes, or at the end. */
function closing(text: string, start: number, quote: string): number {
  const manyLines = quote.length === 3 || quote === '`';
  for (let i = start; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text.startsWith(quote, i)) return i;
    else if (text[i] === '\n' && !manyLines) return i;
  }
  return text.length;
}

export function placeAt(text: string, offset: number, language: string): Place {
  for (const place of placesOf(text, language)) {
    if (place.start > offset) break;
    if (offset < place.end || (place.kind === 'string' && offset === place.end)) return place;
  }
  return { kind: 'code', start: 0, end: text.length };
}
