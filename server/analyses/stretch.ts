import type { RunView, TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Stretch } from './mixers/mixer.js';

/** Tokens read at a time. A whole run goes in stretches as long as the engine's chunks; to see one token, those between two known states are read. */
const WHOLE = 256;
const NEAR = 32;

/** The stretch a token belongs to, as one of those that cover the run. */
export const stretchOf = (view: RunView, token: number): TokenRange => aligned(view, token, WHOLE);

/** The tokens that are read to see this one, and found again while somebody scrubs. */
export const nearOf = (view: RunView, token: number): TokenRange => aligned(view, token, NEAR);

function aligned({ ids }: RunView, token: number, length: number): TokenRange {
  const from = Math.floor(token / length) * length;
  return { from, to: Math.min(from + length, ids.length) };
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
