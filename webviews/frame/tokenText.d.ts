import type { TokenInfo } from '../../server/protocol/runs.js';
export type TokenColour = 'surprisal' | 'probability' | 'none';
/** Surprisal at which the colour is full: 12 bits is one in 4,096. */
export declare const FULL_SURPRISAL = 12;
type Coloured = Pick<TokenInfo, 'surprisal' | 'probability'>;
/** How much of the colour a token gets, 0…1; null when it has no probability (the first one). */
export declare function strength(token: Coloured, colour: TokenColour): number | null;
export declare const tokenFill: (token: Coloured, colour: TokenColour) => string;
export declare function fill(amount: number | null, colour: TokenColour): string;
/** Text of a token that is read as one word: spaces, newlines and bytes that are no character are visible. */
export declare function visibleText(token: Pick<TokenInfo, 'text' | 'bytes'>): string;
export declare const hex: (bytes: readonly number[]) => string;
/** Said by a screen reader when the token is under the cursor. */
export declare function spokenToken(token: TokenInfo): string;
/** 0.4213 → 42 %, 0.00031 → 0.03 %; NaN stays visible. */
export declare function percent(value: number): string;
