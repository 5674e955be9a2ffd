import type { TokenInfo } from '../../server/protocol/runs.js';

const encoder = new TextEncoder();

/** Tokens of these texts, or of these bytes where a token ends inside a character. */
export function tokensOf(pieces: readonly (string | readonly number[])[], probability = 0.25): TokenInfo[] {
  let offset = 0;
  return pieces.map((piece, index) => {
    const text = typeof piece === 'string' ? piece : '\uFFFD';
    const start = offset;
    offset += text.length;
    return {
      index,
      id: index,
      text,
      bytes: typeof piece === 'string' ? Array.from(encoder.encode(piece)) : piece,
      start,
      end: offset,
      role: 'prompt',
      probability: index === 0 ? null : probability,
      surprisal: index === 0 ? null : -Math.log2(probability),
      entropy: null,
      rank: null,
      alternatives: [],
    };
  });
}
