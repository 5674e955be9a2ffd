import type { TokenInfo } from '../../server/protocol/runs.js';
/** Where an arrow, Home, End, Page or Ctrl/Cmd+arrow key moves the token cursor; null for other keys. */
export declare function movedToken(
  event: KeyboardEvent,
  tokens: readonly Pick<TokenInfo, 'text'>[],
  from: number,
  page: number,
): number | null;
/** Tokens where `query` occurs in the text, also across token borders: the token in which each occurrence starts. */
export declare function searchTokens(tokens: readonly Pick<TokenInfo, 'text'>[], query: string): readonly number[];
