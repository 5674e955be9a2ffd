import { coarsestLevel } from '../protocol/attention.js';
import type { RunView } from '../runtime/view.js';
import type { Analysis } from './analysis.js';
import { type HeadScan, scanHeads } from './attentionScan.js';
import type { CellPicture } from './cellPicture.js';
import { sampleRows } from './sampledRows.js';
import { attentionOf, countedTokens, provenance } from './subject.js';

/** Thumbnails have at most 64 cells a side, a quarter of a tile's. */
const COARSER = 4;
/** Queries of a sketch. */
const SKETCHED = 32;

/** A small picture of every head of a layer, and what kind of head it is. */
export const thumbnails: Analysis<'attention/thumbnails'> = async (view, { layer, count, sample }, watched) => {
  const started = performance.now();
  const { heads, kvHeads, causal = true } = attentionOf(view, layer);
  const tokens = countedTokens(view, count);
  const shared = { layer, heads, kvHeads, causal };
  const told = { ...shared, provenance: provenance(view, `blocks.${layer}.attn.pattern`, started) };
  const pool = 2 ** Math.max(0, coarsestLevel(COARSER * tokens));
  if (sample && tokens > SKETCHED)
    return { ...told, ...(await sketch(view, layer, heads, tokens, pool, watched.signal)), scores: null };
  const scans = await scanHeads(view, layer, { from: 0, to: heads }, tokens, watched);
  return {
    ...told,
    ...inOne(scans.map(({ picture }) => picture.coarser(pool / picture.pool))),
    pool,
    sampled: null,
    scores: scans.map(({ scores }: HeadScan) => scores),
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

const byte = (weight: number): number => Math.round(weight * 255);

function inOne(pictures: readonly CellPicture[]) {
  const size = pictures[0]?.rows ?? 0;
  const data = new Uint8Array(pictures.length * size * size);
  for (const [head, { max }] of pictures.entries()) data.set(max.map(byte), head * size * size);
  return { thumbnails: { shape: [pictures.length, size, size], data } };
}

/** Each row of the picture shows the sampled query nearest to it. */
async function sketch(view: RunView, layer: number, heads: number, tokens: number, pool: number, signal: AbortSignal) {
  const size = Math.ceil(tokens / pool);
  const rows = Math.min(size, SKETCHED);
  const data = new Uint8Array(heads * size * size);
  await sampleRows(view, layer, { from: 0, to: heads }, { tokens, rows, pool }, signal, ({ head, keys, max }, row) => {
    const weights = max.map(byte).subarray(0, size - keys.from / pool);
    const [first, last] = [row, row + 1].map((at) => Math.round((at * size) / rows)) as [number, number];
    for (let at = first; at < last; at++) data.set(weights, (head * size + at) * size + keys.from / pool);
  });
  return { thumbnails: { shape: [heads, size, size], data }, pool, sampled: rows };
}
