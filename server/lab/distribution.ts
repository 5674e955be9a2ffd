import type { Alternative } from '../protocol/runs.js';
import { topK } from '../runtime/sampler.js';

/** Alternatives shown for each token. */
const SHOWN = 8;

export interface Distribution {
  /** log Σ exp(logit), nats. */
  readonly logSumExp: number;
  /** Bits. */
  readonly entropy: number;
  readonly alternatives: readonly Alternative[];
}

/** What a row of logits [V] says of the next token. */
export function distribution(logits: Float32Array, text: (id: number) => string): Distribution {
  const best = topK(logits, SHOWN);
  const top = logits[best[0] as number] as number;
  let total = 0;
  let weighted = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = (logits[i] as number) - top;
    const e = Math.exp(x);
    total += e;
    weighted += e * x;
  }
  const logTotal = Math.log(total);
  return {
    logSumExp: top + logTotal,
    entropy: Math.max(0, (logTotal - weighted / total) / Math.LN2),
    alternatives: best.map((id) => ({ id, text: text(id), probability: Math.exp((logits[id] as number) - top) / total })),
  };
}

/** Tokens that were more likely than this one. */
export function rankOf(logits: Float32Array, id: number): number {
  const own = logits[id] as number;
  let rank = 0;
  for (let i = 0; i < logits.length; i++) if ((logits[i] as number) > own) rank++;
  return rank;
}
