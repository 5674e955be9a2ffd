import type { Sampling } from './protocol/models.js';
import { sample } from './runtime/sampler.js';
import type { Sequence } from './runtime/sequence.js';

/**
 * Up to `max` tokens after what the run holds, each decoded into the run before the next is drawn; the last one too when `decodeLast`.
 * Ends with the first stop token, which is yielded.
 */
export async function* continuation(
  run: Sequence,
  max: number,
  sampling: Sampling,
  stop: ReadonlySet<number>,
  decodeLast = false,
): AsyncGenerator<number> {
  const seed = sampling.seed ?? Math.floor(Math.random() * 2 ** 31);
  const T = run.ids.length;
  let logits = await run.logits({ from: T - 1, to: T });
  for (let step = 0; step < max; step++) {
    const id = sample(logits, sampling, seed, step);
    yield id;
    const last = step === max - 1 || stop.has(id);
    if (!last || decodeLast) logits = await run.decode(id);
    if (last) return;
  }
}
