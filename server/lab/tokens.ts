import type { TokenInfo } from '../protocol/runs.js';
import type { Piece, Tokenizer } from '../tokenizer/tokenizer.js';
import { type Distribution, distribution, rankOf } from './distribution.js';

/** What a token is by itself; a model without a tokenizer shows its ids. */
export type Speller = Pick<Tokenizer, 'text' | 'bytes'>;

export const idSpeller: Speller = { text: (id) => `⟨${id}⟩`, bytes: () => new Uint8Array() };

export interface Placed {
  readonly index: number;
  readonly id: number;
  readonly role: TokenInfo['role'];
  /** Where it stands in the prompt, when it came from text. */
  readonly piece: Piece | null;
}

/** A token with the distribution it was drawn from: the logits after the token before it, null for the first, and what is `said` by them. */
export function tokenInfo(
  { index, id, role, piece }: Placed,
  before: Float32Array | null,
  speller: Speller,
  said: Distribution | null = before && distribution(before, (other) => speller.text(other)),
): TokenInfo {
  const plain = {
    index,
    id,
    text: speller.text(id),
    bytes: [...speller.bytes(id)],
    start: piece?.start ?? null,
    end: piece?.end ?? null,
    role,
  };
  if (before === null || said === null)
    return { ...plain, probability: null, surprisal: null, entropy: null, rank: null, alternatives: [] };
  const { logSumExp, entropy, alternatives } = said;
  const logProbability = (before[id] as number) - logSumExp;
  return {
    ...plain,
    probability: Math.exp(logProbability),
    surprisal: -logProbability / Math.LN2,
    entropy,
    rank: rankOf(before, id),
    alternatives,
  };
}

/** Mean surprisal of the prompt's tokens in nats; null for a single token. */
export function promptLoss(tokens: readonly TokenInfo[]): number | null {
  const known = tokens.filter((t) => t.role === 'prompt' && t.surprisal !== null);
  return known.length === 0 ? null : (known.reduce((sum, t) => sum + (t.surprisal as number), 0) / known.length) * Math.LN2;
}
