import type { TokenInfo } from '../../server/protocol/runs.js';

export type TokenColour = 'surprisal' | 'probability' | 'none';

/** Surprisal at which the colour is full: 12 bits is one in 4,096. */
export const FULL_SURPRISAL = 12;
const HUES = { surprisal: [222, 125, 36], probability: [52, 140, 222] } as const;
/** Most opaque fill that keeps text readable in light, dark and high contrast. */
const FULL_OPACITY = 0.7;

/** From this strength on, a dark theme's own text colour is less than 4.5 times as light as the fill: white is not. */
const STRONG = 0.6;

type Coloured = Pick<TokenInfo, 'surprisal' | 'probability'>;

/** How much of the colour a token gets, 0…1; null when it has no probability (the first one). */
export function strength(token: Coloured, colour: TokenColour): number | null {
  if (colour === 'none' || token.surprisal === null || token.probability === null) return null;
  return colour === 'surprisal' ? Math.min(1, token.surprisal / FULL_SURPRISAL) : token.probability;
}

export const isStrong = (token: Coloured, colour: TokenColour): boolean => (strength(token, colour) ?? 0) > STRONG;

export const tokenFill = (token: Coloured, colour: TokenColour): string => fill(strength(token, colour), colour);

export function fill(amount: number | null, colour: TokenColour): string {
  if (amount === null || colour === 'none' || Number.isNaN(amount)) return 'transparent';
  const [r, g, b] = HUES[colour];
  return `rgba(${r}, ${g}, ${b}, ${(amount * FULL_OPACITY).toFixed(3)})`;
}

/** Text of a token that is read as one word: spaces, newlines and bytes that are no character are visible. */
export function visibleText(token: Pick<TokenInfo, 'text' | 'bytes'>): string {
  if (token.text === '' || token.text.includes('\uFFFD')) return hex(token.bytes) || '∅';
  return token.text
    .replaceAll(' ', '·')
    .replaceAll('\r', '␍')
    .replaceAll('\n', '⏎')
    .replaceAll('\t', '⇥')
    .replace(/[\p{Cc}\p{Cf}]/gu, (character) => `‹${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}›`);
}

export const hex = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Said by a screen reader when the token is under the cursor. */
export function spokenToken(token: TokenInfo): string {
  const text =
    token.text === ' '
      ? 'space'
      : token.text === '\n'
        ? 'new line'
        : token.text.includes('\uFFFD')
          ? `bytes ${hex(token.bytes)}`
          : token.text;
  const chance =
    token.probability === null
      ? ''
      : `, probability ${percent(token.probability)}, rank ${(token.rank ?? 0) + 1}, surprisal ${(token.surprisal ?? 0).toFixed(1)} bits`;
  return `token ${token.index}: ${text}, ${token.role}${chance}`;
}

/** 0.4213 → 42 %, 0.00031 → 0.03 %; NaN stays visible. */
export function percent(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  const scaled = value * 100;
  return `${scaled >= 10 || scaled === 0 ? scaled.toFixed(0) : scaled >= 0.1 ? scaled.toPrecision(2) : scaled >= 0.001 ? scaled.toFixed(3) : '<0.001'} %`;
}
