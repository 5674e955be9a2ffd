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

/**
 * One token from logits [V]: greedy at temperature 0; otherwise softmax(logits / temperature) cut to top-k, then to the smallest set whose
 * probability reaches top-p. `step` numbers the draws of a run, so that a seed fixes them all. Errors: LOGITS_NAN.
 */
export function sample(logits: Float32Array, sampling: Sampling, seed: number, step: number): number {
  if (!areNumbers(logits)) throw notNumbers();
  if (sampling.temperature === 0 || sampling.topK === 1) return argmax(logits);
  const k = Math.min(sampling.topK ?? logits.length, logits.length);
  const order =
    k <= 256 ? topK(logits, k) : [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number)).slice(0, k);
  const top = logits[order[0] as number] as number;
  const weights = order.map((i) => Math.exp(((logits[i] as number) - top) / sampling.temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let kept = 0;
  let mass = 0;
  while (kept < order.length && (kept === 0 || mass < (sampling.topP ?? 1) * total)) mass += weights[kept++] as number;
  let left = uniform(seed, step) * mass;
  for (let i = 0; i < kept; i++) {
    left -= weights[i] as number;
    if (left < 0) return order[i] as number;
  }
  return order[kept - 1] as number;
}
