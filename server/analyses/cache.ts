import { frequenciesAt } from '../graph/blocks/rope.js';
import { queriesSeeing } from '../graph/blocks/sees.js';
import { LabError } from '../protocol/errors.js';
import type { CacheLayer } from '../protocol/inspect.js';
import { growth, type Keeps, rowsKept } from '../protocol/keeps.js';
import type { StateSummary } from '../protocol/models.js';
import type { LayerView, RunView } from '../runtime/view.js';
import { length } from '../tensor/ranges.js';
import { norm } from '../tensor/reduce.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Analysis } from './analysis.js';
import { scanHeads } from './attentionScan.js';
import { attentionOf, checkIndex, layerOf, provenance } from './subject.js';

const evicted = (token: number, first: number, tokens: number) =>
  new LabError({
    code: 'CACHE_EVICTED',
    message: `Token ${token} is no longer in the cache of this layer, which holds ${first < tokens ? `tokens ${first} to ${tokens - 1}` : 'none now'}.`,
    hint: 'Select a later token, or a layer that keeps all.',
  });

const unknownRows = (layer: LayerView, name: string) =>
  new LabError({
    code: 'STATE_UNKNOWN',
    message: `The cache of layer ${layer.index} has no "${name}".`,
    hint: `It has ${kvStates(layer)
      .map((state) => state.name)
      .join(', ')}.`,
  });

const kvStates = (layer: LayerView) => layer.state.filter((state) => state.kind === 'kv');

/** [K, S, E], or [S, E] where all heads read the same rows. */
const headsOf = (state: StateSummary | undefined): number => (state?.shape.length === 3 ? (state.shape[0] as number) : 1);

const braces = (names: readonly string[]): string => `{${names.join()}}`;

function cacheLayer(layer: LayerView, tokens: number): CacheLayer {
  const states = kvStates(layer);
  const kept = rowsKept(states[0]?.keeps ?? null, tokens);
  const bytesPerToken = states.reduce((sum, state) => sum + state.bytesPerToken, 0);
  return {
    layer: layer.index,
    heads: layer.heads,
    kvHeads: headsOf(states[0]),
    headDim: layer.headDim,
    rows: states.map(({ name, shape }) => ({ name, size: shape.at(-1) as number })),
    kept,
    first: tokens - kept,
    window: layer.window,
    chunk: layer.chunk ?? null,
    bytes: states.reduce((sum, state) => sum + rowsKept(state.keeps, tokens) * state.bytesPerToken, 0),
    bytesPerToken,
  };
}

/** Bytes by layer; growth counts the layers whose window is not full yet, and no chunks, which only fill again. */
export const overview: Analysis<'cache/overview'> = async (view) => {
  const started = performance.now();
  const T = view.ids.length;
  const caching = view.layers.filter((layer) => kvStates(layer).length > 0);
  const layers = caching.map((layer) => cacheLayer(layer, T));
  const allocated = await Promise.all(caching.map((layer) => view.allocatedBytes(layer.index)));
  const names = new Set(layers.flatMap(({ rows }) => rows.map(({ name }) => name)));
  const perToken = caching.flatMap(kvStates).reduce((sum, state) => sum + state.bytesPerToken * growth(state.keeps, T), 0);
  return {
    layers,
    bytes: layers.reduce((sum, layer) => sum + layer.bytes, 0),
    bytesPerToken: perToken,
    capacityBytes: allocated.reduce((sum, bytes) => sum + bytes, 0),
    provenance: provenance(view, `blocks.*.state.${braces([...names])}`, started),
  };
};

/** Rows of one layer as cached after `tokens` tokens, each [K, S, E]. The run may grow meanwhile. */
async function rowsOf(
  view: RunView,
  layer: number,
  names: readonly string[],
  tokens: number,
  signal: AbortSignal,
): Promise<Tensor[]> {
  const full = names.map((name) => `blocks.${layer}.state.${name}`);
  const probes = await view.probes(full, { range: { from: 0, to: tokens }, signal });
  return full.map((name) => {
    const { shape, data } = probes.get(name) as Tensor;
    return { shape: shape.length === 2 ? [1, ...shape] : shape, data };
  });
}

const isBlocks = (keeps: Keeps): boolean => typeof keeps === 'object' && keeps !== null && 'block' in keeps;
const strideOf = (keeps: Keeps): number => (typeof keeps === 'object' && keeps !== null && 'block' in keeps ? keeps.stride : 1);

/** The row that stands for a token among S kept ones; null when it is gone, or its block has not ended. */
function rowAt(keeps: Keeps, S: number, token: number, tokens: number): number | null {
  const row = isBlocks(keeps) ? Math.floor(token / strideOf(keeps)) : token - (tokens - S);
  return row >= 0 && row < S ? row : null;
}

/** L2 norm per KV head and kept position. */
export const map: Analysis<'cache/map'> = async (view, { layer, state }, { signal }) => {
  const started = performance.now();
  attentionOf(view, layer);
  const found = layerOf(view, layer);
  if (!kvStates(found).some(({ name }) => name === state)) throw unknownRows(found, state);
  const T = view.ids.length;
  const [rows] = (await rowsOf(view, layer, [state], T, signal)) as [Tensor];
  const [K, S, E] = rows.shape as [number, number, number];
  const { keeps } = found.state.find(({ name }) => name === state) as StateSummary;
  const norms = Float32Array.from({ length: K * S }, (_, i) => norm(rows.data.subarray(i * E, (i + 1) * E)));
  // a block stands at the tokens up to where the next one begins
  const stride = strideOf(keeps);
  const shown = Math.min(T, S * stride);
  const spread = Float32Array.from(
    { length: K * shown },
    (_, i) => norms[Math.floor(i / shown) * S + Math.floor((i % shown) / stride)] as number,
  );
  return {
    first: stride === 1 && !isBlocks(keeps) ? T - S : 0,
    norms: { shape: [K, shown], data: spread },
    provenance: provenance(view, `blocks.${layer}.state.${state}`, started),
  };
};

/** Mean weight that each position gets from the other queries that can see it; 0 where there are none. */
export const received: Analysis<'cache/received'> = async (view, { layer }, watched) => {
  const started = performance.now();
  const spec = attentionOf(view, layer);
  const T = view.ids.length;
  const scans = await scanHeads(view, layer, { from: 0, to: spec.heads }, T, watched);
  const means = scans.map(({ received, self }) =>
    received.map((sum, key) => (sum - (self[key] as number)) / Math.max(1, length(queriesSeeing(spec, key, T)) - 1)),
  );
  const data = new Float32Array(spec.heads * T);
  for (const [head, mean] of means.entries()) data.set(mean, head * T);
  return {
    received: { shape: [spec.heads, T], data },
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

/** States whose rows RoPE has turned. */
const TURNED = new Set(['k', 'k_pe', 'k_slc', 'k_win']);

/** What one position keeps for one KV head: its key and value, or its latent and rotary key. */
export const slice: Analysis<'cache/slice'> = async (view, { layer, kvHead, token }, { signal }) => {
  const started = performance.now();
  const { rope } = attentionOf(view, layer);
  const T = view.ids.length;
  const states = kvStates(layerOf(view, layer));
  const { first, kvHeads } = cacheLayer(layerOf(view, layer), T);
  checkIndex('KV head', kvHead, kvHeads);
  checkIndex('token', token, T);
  if (token < first) throw evicted(token, first, T);
  const names = states.map(({ name }) => name);
  const frequencies = rope && frequenciesAt(rope, view.reach(token)).slice();
  const turn = rope && frequencies && { style: rope.style, frequencies: { shape: [frequencies.length], data: frequencies } };
  const cached = await rowsOf(view, layer, names, T, signal);
  return {
    rows: cached.flatMap(({ shape, data }, i) => {
      const [, S, E] = shape as [number, number, number];
      const { name, keeps } = states[i] as StateSummary;
      const row = rowAt(keeps, S, token, T);
      if (row === null) return [];
      const at = (kvHead * S + row) * E;
      return [{ name, values: { shape: [E], data: data.slice(at, at + E) }, rope: TURNED.has(name) ? turn : null }];
    }),
    provenance: provenance(view, `blocks.${layer}.state.${braces(names)}`, started),
  };
};
