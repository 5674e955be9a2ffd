import type { TokenInfo } from '../../server/protocol/runs.js';

/** Where an arrow, Home, End, Page or Ctrl/Cmd+arrow key moves the token cursor; null for other keys. */
export function movedToken(
  event: KeyboardEvent,
  tokens: readonly Pick<TokenInfo, 'text'>[],
  from: number,
  page: number,
): number | null {
  const last = tokens.length - 1;
  if (last < 0 || event.altKey) return null;
  const byWord = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case 'ArrowLeft':
      return byWord ? wordBefore(tokens, from) : Math.max(0, from - 1);
    case 'ArrowRight':
      return byWord ? wordAfter(tokens, from) : Math.min(last, from + 1);
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'PageUp':
      return Math.max(0, from - page);
    case 'PageDown':
      return Math.min(last, from + page);
    default:
      return null;
  }
}

const startsWord = (token: Pick<TokenInfo, 'text'> | undefined): boolean => token !== undefined && /^[\s▁]/u.test(token.text);

function wordBefore(tokens: readonly Pick<TokenInfo, 'text'>[], from: number): number {
  let at = from - 1;
  while (at > 0 && !startsWord(tokens[at])) at--;
  return Math.max(0, at);
}

function wordAfter(tokens: readonly Pick<TokenInfo, 'text'>[], from: number): number {
  let at = from + 1;
  while (at < tokens.length && !startsWord(tokens[at])) at++;
  return Math.min(tokens.length - 1, at);
}

/** Tokens where `query` occurs in the text, also across token borders: the token in which each occurrence starts. */
export function searchTokens(tokens: readonly Pick<TokenInfo, 'text'>[], query: string): readonly number[] {
  if (query === '') return [];
  const wanted = query.toLocaleLowerCase();
  const starts: number[] = [];
  let text = '';
  for (const token of tokens) {
    starts.push(text.length);
    text += token.text.toLocaleLowerCase();
  }
  const found: number[] = [];
  let token = 0;
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    while (token + 1 < starts.length && (starts[token + 1] ?? Infinity) <= at) token++;
    if (found.at(-1) !== token) found.push(token);
  }
  return found;
}
