import type { WindowToken } from '../../server/protocol/tokens.js';
import { hex, visibleText } from '../frame/tokenText.js';

const NAMED = new Set(['special', 'added']);

/** What a token says, blanks visible. Tokens that split a character show their bytes, behind what they begin to say in the text. */
export function tokenLabel(token: WindowToken, source: string): { readonly character: string; readonly text: string } {
  if (token.role === 'unknown') return { character: '', text: visibleText({ text: source || token.text, bytes: token.bytes }) };
  if (NAMED.has(token.role)) return { character: '', text: token.text };
  const partial = token.text.includes('\uFFFD') && !source.includes('\uFFFD');
  return partial
    ? { character: source === '' ? '' : visibleText({ text: source, bytes: [] }), text: hex(token.bytes) }
    : { character: '', text: visibleText({ text: token.text, bytes: token.bytes }) };
}

/** Said by a screen reader. */
export const spoken = (token: WindowToken, index: number | null, vocabulary: string): string =>
  [
    index === null ? 'token' : `token ${index}`,
    `of ${vocabulary}:`,
    token.text === ' '
      ? 'space'
      : token.text === '\n'
        ? 'new line'
        : token.text.includes('\uFFFD')
          ? `bytes ${hex(token.bytes)}`
          : token.text,
    `id ${token.id}`,
    token.role === 'text' ? '' : token.role,
  ]
    .filter(Boolean)
    .join(' ');
