import {
  type AttentionCell,
  type AttentionColumn,
  type AttentionEdges,
  type AttentionRow,
  type AttentionThumbnails,
  type AttentionTile,
  TILE,
} from '../../server/protocol/attention.js';
import type { Params } from '../../server/protocol/requests.js';
import type { WireTensor } from '../../server/protocol/tensors.js';
import { noise } from './syntheticTokens.js';

const provenance = (probe: string) => ({ model: 'tiny-llama', dtype: 'F32', probe, provider: 'cpu', ms: 3.4 });
const period = 31;

/** Heads of a few well-known kinds: previous token, first token, induction, local, broad. */
function weights(layer: number, head: number, query: number): Float32Array {
  const row = new Float32Array(query + 1);
  const kind = (layer * 5 + head * 3) % 5;
  let sum = 0;
  for (let key = 0; key <= query; key++) {
    const back = query - key;
    const score = [
      back === 1 ? 4 : 0,
      key === 0 ? 4 : 0,
      key > 0 && back % period === period - 1 ? 5 : key === 0 ? 2 : 0,
      3 * Math.exp(-back / 6),
      1,
    ][kind];
    row[key] = Math.exp((score ?? 0) * 1.4 + 1.6 * noise(layer, head, query % 97, key % 89));
    sum += row[key] ?? 0;
  }
  return row.map((value) => value / sum);
}

const wire = (shape: number[], data: Float32Array): WireTensor => ({ shape, data });

export function thumbnails(
  { layer, count, sample }: Params<'attention/thumbnails'>,
  heads: number,
  kvHeads: number,
): AttentionThumbnails {
  const pool = 2 ** Math.max(0, Math.ceil(Math.log2(count / 64)));
  const size = Math.ceil(count / pool);
  const data = new Uint8Array(heads * size * size);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < size; row++) {
      const query = Math.min(count - 1, Math.floor(((row + 0.5) * count) / size));
      const values = weights(layer, head, query);
      for (let key = 0; key <= query; key++) {
        const at = (head * size + row) * size + Math.min(size - 1, Math.floor((key * size) / count));
        data[at] = Math.max(data[at] ?? 0, Math.round(255 * (values[key] ?? 0)));
      }
    }
  }
  const scores = Array.from({ length: heads }, (_, head) => {
    const kind = (layer * 5 + head * 3) % 5;
    return {
      induction: kind === 2 ? 0.71 : 0.03,
      previous: kind === 0 ? 0.66 : 0.1,
      sink: kind === 1 ? 0.8 : 0.08,
      entropy: 1 + kind,
    };
  });
  return {
    layer,
    heads,
    kvHeads,
    causal: true,
    thumbnails: { shape: [heads, size, size], data },
    pool,
    sampled: sample ? 32 : null,
    scores: sample ? null : scores,
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

/** The rows of `queries` that are looked at, pooled to `cols` cells of keys. */
function pooled(
  layer: number,
  head: number,
  queries: readonly number[],
  keys: readonly [number, number],
  size: number,
  pool: 'mean' | 'max',
) {
  const cols = Math.ceil((keys[1] - keys[0]) / size);
  const data = new Float32Array(queries.length * cols);
  for (const [row, query] of queries.entries()) {
    const values = weights(layer, head, query);
    for (let col = 0; col < cols; col++) {
      const [from, to] = [keys[0] + col * size, Math.min(keys[0] + (col + 1) * size, keys[1])];
      let value = 0;
      for (let key = from; key < to; key++)
        value = pool === 'max' ? Math.max(value, values[key] ?? 0) : value + (values[key] ?? 0) / (to - from);
      data[row * cols + col] = value;
    }
  }
  return wire([queries.length, cols], data);
}

export function tile({ layer, head, count, level, row, col, pool }: Params<'attention/tile'>): AttentionTile {
  const size = 2 ** level;
  const span = (at: number) => [at * TILE * size, Math.min((at + 1) * TILE * size, count)] as const;
  const [queries, keys] = [span(row), span(col)];
  const rows = Array.from({ length: Math.ceil((queries[1] - queries[0]) / size) }, (_, r) => queries[0] + r * size);
  return {
    weights: pooled(layer, head, rows, keys, size, pool),
    queries,
    keys,
    sampled: null,
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function preview({ layer, head, count, pool }: Params<'attention/preview'>): AttentionTile {
  const rows = Array.from({ length: Math.min(64, count) }, (_, r) => Math.floor(((r + 0.5) * count) / Math.min(64, count)));
  const size = 2 ** Math.max(0, Math.ceil(Math.log2(count / TILE)));
  return {
    weights: pooled(layer, head, rows, [0, count], size, pool),
    queries: [0, count],
    keys: [0, count],
    sampled: rows.length,
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function column({ layer, head, key, count }: Params<'attention/column'>): AttentionColumn {
  const data = Float32Array.from({ length: count }, (_, query) => (query < key ? 0 : (weights(layer, head, query)[key] ?? 0)));
  const top = Array.from(data, (weight, token) => ({ token, weight })).sort((a, b) => b.weight - a.weight);
  return {
    weights: wire([count], data),
    received: data.reduce((sum, weight) => sum + weight, 0),
    top: top.slice(0, 16).filter(({ weight }) => weight > 0),
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function edges({ layer, count, most }: Params<'attention/edges'>, heads: number): AttentionEdges {
  const all = Array.from({ length: heads }, (_, head) =>
    Array.from({ length: count }, (_, query) => {
      const row = weights(layer, head, query);
      const key = row.reduce((best, weight, k) => (k > 0 && k < query && weight > (row[best] ?? 0) ? k : best), 1);
      return { head, query, key, weight: row[key] ?? 0 };
    }).filter(({ query, key }) => key < query),
  ).flat();
  return {
    layer,
    edges: all.sort((a, b) => b.weight - a.weight).slice(0, most),
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function row({ layer, head, query }: Params<'attention/row'>): AttentionRow {
  const data = weights(layer, head, query);
  const top = Array.from(data, (weight, token) => ({ token, weight })).sort((a, b) => b.weight - a.weight);
  return {
    weights: wire([query + 1], data),
    entropy: -data.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 0),
    top: top.slice(0, 16),
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function cell({ layer, head, query, key }: Params<'attention/cell'>): AttentionCell {
  const size = 64;
  const q = Float32Array.from({ length: size }, (_, e) => 2 * noise(query, e, 1) - 1);
  const k = Float32Array.from({ length: size }, (_, e) => 2 * noise(key, e, 1) - 1);
  const products = q.map((value, e) => value * (k[e] ?? 0));
  const dot = products.reduce((sum, value) => sum + value, 0);
  const weight = weights(layer, head, query)[key] ?? 0;
  const score = dot / 8;
  return {
    q: wire([size], q),
    k: wire([size], k),
    products: wire([size], products),
    dot,
    content: dot - 0.8,
    scale: 1 / 8,
    softcap: null,
    mask: key > query ? 'causal' : 'visible',
    score,
    logSumExp: score - Math.log(weight),
    weight,
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}
