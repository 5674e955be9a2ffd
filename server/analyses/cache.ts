import { LabError } from '../protocol/errors.js';
import type { CacheLayer } from '../protocol/inspect.js';
import type { LayerView, RunView } from '../runtime/view.js';
import { norm } from '../tensor/reduce.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Analysis } from './analysis.js';
import { eachBand, rowStart } from './bands.js';
import { attentionOf, checkIndex, layerOf, provenance } from './subject.js';

const evicted = (token: number, first: number, window: number | null) =>
  new LabError({
    code: 'CACHE_EVICTED',
    message: `Token ${token} is no longer in the cache of this layer, whose window of ${window} tokens begins at token ${first}.`,
    hint: `Select a token from ${first} on, or a layer without a window.`,
  });

const kvStates = (layer: LayerView) => layer.state.filter((state) => state.kind === 'kv');

function cacheLayer(layer: LayerView, tokens: number): CacheLayer {
  const states = kvStates(layer);
  const kept = Math.min(tokens, states[0]?.keeps ?? tokens);
  const bytesPerToken = states.reduce((sum, state) => sum + state.bytesPerToken, 0);
  return {
    layer: layer.index,
    heads: layer.heads,
    kvHeads: layer.kvHeads,
    headDim: layer.headDim,
    kept,
    first: tokens - kept,
    window: layer.window,
    bytes: kept * bytesPerToken,
    bytesPerToken,
  };
}

/** Bytes by layer; growth counts the layers whose window is not full yet. */
export const overview: Analysis<'cache/overview'> = async (view) => {
  const started = performance.now();
  const T = view.ids.length;
  const caching = view.layers.filter((layer) => kvStates(layer).length > 0);
  const layers = caching.map((layer) => cacheLayer(layer, T));
  const allocated = await Promise.all(caching.map((layer) => view.allocatedBytes(layer.index)));
  const grows = (layer: CacheLayer) => layer.window === null || layer.kept < layer.window - 1;
  return {
    layers,
    bytes: layers.reduce((sum, layer) => sum + layer.bytes, 0),
    bytesPerToken: layers.filter(grows).reduce((sum, layer) => sum + layer.bytesPerToken, 0),
    capacityBytes: allocated.reduce((sum, bytes) => sum + bytes, 0),
    provenance: provenance(view, 'blocks.*.state.{k,v}', started),
  };
};

/** Keys or values of one layer as cached after `tokens` tokens: [K, S, E]. The run may grow meanwhile. */
async function rowsOf(
  view: RunView,
  layer: number,
  names: readonly ('k' | 'v')[],
  tokens: number,
  signal: AbortSignal,
): Promise<Tensor[]> {
  const full = names.map((name) => `blocks.${layer}.state.${name}`);
  const probes = await view.probes(full, { range: { from: 0, to: tokens }, signal });
  return full.map((name) => probes.get(name) as Tensor);
}

/** L2 norm per KV head and kept position. */
export const map: Analysis<'cache/map'> = async (view, { layer, state }, { signal }) => {
  const started = performance.now();
  attentionOf(view, layer);
  const T = view.ids.length;
  const [rows] = (await rowsOf(view, layer, [state], T, signal)) as [Tensor];
  const [K, S, E] = rows.shape as [number, number, number];
  return {
    first: T - S,
    norms: { shape: [K, S], data: Float32Array.from({ length: K * S }, (_, i) => norm(rows.data.subarray(i * E, (i + 1) * E))) },
    provenance: provenance(view, `blocks.${layer}.state.${state}`, started),
  };
};

/** Mean weight that each position gets from the queries behind it that can see it; 0 where there are none. */
export const received: Analysis<'cache/received'> = async (view, { layer }, context) => {
  const started = performance.now();
  const { heads, window } = attentionOf(view, layer);
  const T = view.ids.length;
  const sums = new Float64Array(heads * T);
  await eachBand(view, layer, { from: 0, to: T }, context, (band) => {
    for (let head = 0; head < heads; head++)
      for (let query = band.from; query < band.to; query++) {
        const at = rowStart(band, head, query);
        for (let key = 0; key < query; key++)
          sums[head * T + key] = (sums[head * T + key] as number) + (band.data[at + key] as number);
      }
  });
  const readers = (position: number) => Math.min(T - 1 - position, (window ?? Number.POSITIVE_INFINITY) - 1);
  return {
    received: { shape: [heads, T], data: Float32Array.from(sums, (sum, i) => sum / Math.max(1, readers(i % T))) },
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

/** The key and value that one position keeps for one KV head. */
export const slice: Analysis<'cache/slice'> = async (view, { layer, kvHead, token }, { signal }) => {
  const started = performance.now();
  const { kvHeads, window, rope } = attentionOf(view, layer);
  checkIndex('KV head', kvHead, kvHeads);
  const T = view.ids.length;
  checkIndex('token', token, T);
  const { first } = cacheLayer(layerOf(view, layer), T);
  if (token < first) throw evicted(token, first, window);
  const [k, v] = (await rowsOf(view, layer, ['k', 'v'], T, signal)) as [Tensor, Tensor];
  const [, S, E] = k.shape as [number, number, number];
  const at = (kvHead * S + token - first) * E;
  return {
    k: { shape: [E], data: k.data.slice(at, at + E) },
    v: { shape: [E], data: v.data.slice(at, at + E) },
    rope: rope && {
      style: rope.style,
      frequencies: { shape: [rope.frequencies.length], data: rope.frequencies.slice() },
    },
    provenance: provenance(view, `blocks.${layer}.state.{k,v}`, started),
  };
};
