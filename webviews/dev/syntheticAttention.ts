import type { AttentionCell, AttentionMap, AttentionRow, AttentionThumbnails } from '../../server/protocol/inspect.js';
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
  { layer, size }: Params<'attention/thumbnails'>,
  count: number,
  heads: number,
  kvHeads: number,
): AttentionThumbnails {
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
    thumbnails: { shape: [heads, size, size], data },
    scores,
    provenance: provenance(`blocks.${layer}.attn.pattern`),
  };
}

export function map({ layer, head, queries, keys, rows, cols, pool }: Params<'attention/map'>): AttentionMap {
  const data = new Float32Array(rows * cols);
  let max = 0;
  for (let row = 0; row < rows; row++) {
    const from = queries[0] + Math.floor((row * (queries[1] - queries[0])) / rows);
    const values = weights(layer, head, from);
    for (let col = 0; col < cols; col++) {
      const a = keys[0] + Math.floor((col * (keys[1] - keys[0])) / cols);
      const b = Math.max(a + 1, keys[0] + Math.floor(((col + 1) * (keys[1] - keys[0])) / cols));
      let value = 0;
      for (let key = a; key < b; key++)
        value = pool === 'max' ? Math.max(value, values[key] ?? 0) : value + (values[key] ?? 0) / (b - a);
      data[row * cols + col] = value;
      max = Math.max(max, value);
    }
  }
  return { weights: wire([rows, cols], data), max, provenance: provenance(`blocks.${layer}.attn.pattern`) };
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
