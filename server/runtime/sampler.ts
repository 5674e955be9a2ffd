import { LabError } from '../protocol/errors.js';
import type { Sampling } from '../protocol/models.js';

export const notNumbers = () =>
  new LabError({
    code: 'LOGITS_NAN',
    message: 'What the model says of the next token is not a number: there is nothing to draw from.',
    hint: 'A weight is NaN or infinite, or a value overflowed. The probes show where it begins, Weights counts what is in a tensor.',
  });

/** Counter-based generator (splitmix32): the same seed and step give the same token on every machine. */
function uniform(seed: number, step: number): number {
  let z = (Math.imul(seed | 0, 0x9e3779b9) + Math.imul(step + 1, 0x85ebca6b)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
}

export const argmax = (logits: Float32Array): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] as number) > (logits[best] as number)) best = i;
  return best;
};

/** Indices of the k largest values, best first. */
export function topK(values: Float32Array, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (best.length === k && value <= (values[best[k - 1] as number] as number)) continue;
    let at = best.length;
    while (at > 0 && value > (values[best[at - 1] as number] as number)) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/** Logits may be −∞, for tokens that never come. */
const areNumbers = (logits: Float32Array): boolean =>
  logits.every((x) => x < Number.POSITIVE_INFINITY) && logits.some((x) => x > Number.NEGATIVE_INFINITY);

/** Tokens as likely as e^−NEAR of the best one: few to sort, and nearly always all that a draw meets. */
const NEAR = 12;
/** So many are found faster than sorted. */
const FEW = 256;

/**
 * One token from logits [V]: greedy at temperature 0; otherwise softmax(logits / temperature) cut to top-k, then to the smallest set whose
 * probability reaches top-p. `step` numbers the draws of a run, so that a seed fixes them all. Errors: LOGITS_NAN.
 */
export function sample(logits: Float32Array, { temperature, topK: most, topP }: Sampling, seed: number, step: number): number {
  if (!areNumbers(logits)) throw notNumbers();
  if (temperature === 0 || most === 1) return argmax(logits);
  const top = logits[argmax(logits)] as number;
  const weigh = (order: readonly number[]) => order.map((i) => Math.exp(((logits[i] as number) - top) / temperature));
  const k = Math.min(most ?? logits.length, logits.length);
  const draw = uniform(seed, step);
  if (k === logits.length && k > FEW) {
    let total = 0;
    for (const logit of logits) total += Math.exp((logit - top) / temperature);
    const near = descending(logits, top - NEAR * temperature);
    const met = meet(near, weigh(near), total, topP ?? 1, draw);
    if (met !== null) return met;
  }
  const order = k <= FEW ? topK(logits, k) : descending(logits, Number.NEGATIVE_INFINITY).slice(0, k);
  const weights = weigh(order);
  const total = weights.reduce((a, b) => a + b, 0);
  return meet(order, weights, total, topP ?? 1, draw) ?? (order.at(-1) as number);
}

/** Indices of all values that are at least so large, best first. */
function descending(values: Float32Array, least: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) if ((values[i] as number) >= least) found.push(i);
  return found.sort((a, b) => (values[b] as number) - (values[a] as number));
}

/** The token that a draw in 0…1 meets on the weights laid end to end, as many as reach `topP` of the total; null where these are not enough to tell. */
function meet(order: readonly number[], weights: readonly number[], total: number, topP: number, draw: number): number | null {
  let kept = 0;
  let mass = 0;
  while (kept < order.length && (kept === 0 || mass < topP * total)) mass += weights[kept++] as number;
  if (mass < topP * total && topP < 1) return null;
  let left = draw * (topP < 1 ? mass : total);
  for (let i = 0; i < kept; i++) {
    left -= weights[i] as number;
    if (left < 0) return order[i] as number;
  }
  return null;
}
