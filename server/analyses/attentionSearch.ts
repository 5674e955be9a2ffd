import { queriesSeeing } from '../graph/blocks/sees.js';
import type { Analysis } from './analysis.js';
import { outlineHead, scanHeads } from './attentionScan.js';
import { heaviest } from './strongestEdges.js';
import { attentionOf, checkIndex, countedTokens, provenance } from './subject.js';

/** Queries listed by weight. */
const LISTED = 16;

/** What every query of one head puts on one key. */
export const column: Analysis<'attention/column'> = async (view, { layer, head, key, count }, watched) => {
  const started = performance.now();
  const spec = attentionOf(view, layer);
  checkIndex('head', head, spec.heads);
  const tokens = countedTokens(view, count);
  checkIndex('token', key, tokens);
  const { norms } = await outlineHead(view, layer, head, tokens, watched);
  const weights = new Float32Array(tokens);
  const rows = queriesSeeing(spec, key, tokens);
  await view
    .attention(layer)
    .part(
      { rows, keys: { from: key, to: key + 1 }, head, pool: 1, norms },
      (strip) => weights.set(strip.max, strip.rows.from),
      watched.signal,
    );
  const top = Array.from(weights, (weight, token) => ({ token, weight })).filter(({ weight }) => weight > 0);
  return {
    weights: { shape: [tokens], data: weights },
    received: weights.reduce((sum, weight) => sum + weight, 0),
    top: top.sort((a, b) => b.weight - a.weight || a.token - b.token).slice(0, LISTED),
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

/** The heaviest weights of a layer, over all its heads. */
export const edges: Analysis<'attention/edges'> = async (view, { layer, count, most }, watched) => {
  const started = performance.now();
  const { heads } = attentionOf(view, layer);
  const scans = await scanHeads(view, layer, { from: 0, to: heads }, countedTokens(view, count), watched);
  return {
    layer,
    edges: heaviest(
      scans.flatMap((scan) => scan.edges),
      most,
    ),
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};
