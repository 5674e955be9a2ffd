import type { RunView, TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { AnalysisContext } from './analysis.js';
import { breathe } from './breathe.js';
import { attentionOf } from './subject.js';

/** A pattern is looked at in pieces of at most this many bytes, however long the run. */
const LARGEST = 64 << 20;

/** Weights of queries from…to−1 on the first `keys` keys: data is [H, to − from, keys]. Causal attention has `to` of them, an encoder all. */
export interface Band extends TokenRange {
  readonly keys: number;
  readonly data: Float32Array;
}

/** A power of two, at whose multiples all bands begin, so that every picture of a layer asks for the same ones. */
function rowsAtOnce(heads: number, tokens: number): number {
  const rows = LARGEST / (heads * tokens * Float32Array.BYTES_PER_ELEMENT);
  return Math.max(1, 2 ** Math.floor(Math.log2(rows)));
}

/** Visits the pattern of a layer band by band, for all queries of `queries`; a band may begin before and end behind them. */
export async function eachBand(
  view: RunView,
  layer: number,
  queries: TokenRange,
  context: AnalysisContext,
  visit: (band: Band) => void,
): Promise<void> {
  const T = view.ids.length;
  const rows = rowsAtOnce(attentionOf(view, layer).heads, T);
  const first = Math.floor(queries.from / rows) * rows;
  const name = `blocks.${layer}.attn.pattern`;
  for (let from = first; from < queries.to; from += rows) {
    await breathe(context.signal);
    const range = { from, to: Math.min(from + rows, T) };
    const probes = await view.probes([name], { range, signal: context.signal });
    const pattern = probes.get(name) as Tensor;
    visit({ ...range, keys: pattern.shape.at(-1) as number, data: pattern.data });
    context.progress(Math.min(from + rows, queries.to) - first, queries.to - first, `attention of layer ${layer}`);
  }
}

/** Where the weights of one query of a head begin in a band. */
export const rowStart = (band: Band, head: number, query: number): number =>
  (head * (band.to - band.from) + query - band.from) * band.keys;

/** Keys that a query may look at: up to itself, or all where the tokens behind it are seen too. */
export const reachOf = (view: RunView, layer: number, query: number): number =>
  attentionOf(view, layer).causal === false ? view.ids.length : query + 1;
