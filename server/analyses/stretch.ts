import type { RunView, TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Stretch } from './mixers/mixer.js';

/** Tokens read at a time, as far apart as the engine's snapshots: a stretch begins where the state is known. */
const STRETCH = 256;

/** The stretch a token belongs to. All analyses read the same ones, so that scrubbing finds them in the cache. */
export function stretchOf(view: RunView, token: number): TokenRange {
  const from = Math.floor(token / STRETCH) * STRETCH;
  return { from, to: Math.min(from + STRETCH, view.ids.length) };
}

/** Probes of one layer by their short names. */
export async function readStretch(
  view: RunView,
  layer: number,
  names: readonly string[],
  range: TokenRange,
  signal: AbortSignal,
): Promise<Stretch> {
  const probes = await view.probes(
    names.map((name) => `blocks.${layer}.${name}`),
    { range, signal },
  );
  return (name) => probes.get(`blocks.${layer}.${name}`) as Tensor;
}
