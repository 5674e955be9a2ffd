import type { CacheMap, CacheOverview, CacheSlice, Provenance, ReceivedAttention } from '../../server/protocol/inspect.js';
import type { Params } from '../../server/protocol/requests.js';
import { noise } from './syntheticTokens.js';

const provenance = (probe: string): Provenance => ({ model: 'tiny-llama', dtype: 'F32', probe, provider: 'cpu', ms: 12.4 });

export interface CacheScene {
  readonly tokens: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Every third layer has a window, as hybrids of both kinds do. */
const windowOf = (layer: number): number | null => (layer % 3 === 2 ? 16 : null);

export function cacheOverview({ tokens, layers, heads, kvHeads, headDim }: CacheScene): CacheOverview {
  const list = Array.from({ length: layers }, (_, layer) => {
    const window = windowOf(layer);
    const kept = window === null ? tokens : Math.min(tokens, window - 1);
    const rows = ['k', 'v'].map((name) => ({ name, size: headDim }));
    const bytesPerToken = 2 * kvHeads * headDim * 4;
    return {
      layer,
      heads,
      kvHeads,
      headDim,
      rows,
      kept,
      first: tokens - kept,
      window,
      chunk: null,
      bytes: kept * bytesPerToken,
      bytesPerToken,
    };
  });
  const bytes = list.reduce((sum, layer) => sum + layer.bytes, 0);
  const bytesPerToken = list.reduce((sum, layer) => sum + layer.bytesPerToken, 0);
  return { layers: list, bytes, bytesPerToken, capacityBytes: 2048 * bytesPerToken, provenance: provenance('blocks.*.state') };
}

export function cacheMap({ layer, state }: Params<'cache/map'>, scene: CacheScene): CacheMap {
  const found = cacheOverview(scene).layers[layer];
  const { first = 0, kept = 0 } = found ?? {};
  const data = new Float32Array(scene.kvHeads * kept);
  for (let head = 0; head < scene.kvHeads; head++) {
    for (let at = 0; at < kept; at++) {
      const sink = first + at === 0 ? 0.2 : 1;
      data[head * kept + at] =
        (state === 'k' ? 9 + 2 * head : 3) * sink * (0.6 + 0.6 * noise(layer, head, first + at, state === 'k' ? 1 : 2));
    }
  }
  return { first, norms: { shape: [scene.kvHeads, kept], data }, provenance: provenance(`blocks.${layer}.state.${state}`) };
}

export function cacheReceived({ layer }: Params<'cache/received'>, { tokens, heads }: CacheScene): ReceivedAttention {
  const data = new Float32Array(heads * tokens);
  for (let head = 0; head < heads; head++) {
    for (let at = 0; at < tokens; at++)
      data[head * tokens + at] = at === 0 ? 0.3 + 0.5 * noise(layer, head) : noise(layer, head, at) ** 4 * 0.3 + 1 / (tokens + 5);
  }
  return { received: { shape: [heads, tokens], data }, provenance: provenance(`blocks.${layer}.attn.pattern`) };
}

export function cacheSlice({ layer, kvHead, token }: Params<'cache/slice'>, { headDim }: CacheScene): CacheSlice {
  const vector = (which: number) =>
    Float32Array.from({ length: headDim }, (_, i) => 3 * (noise(layer, kvHead, token, which, i) - 0.5) ** 3 * 8);
  const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => 10_000 ** ((-2 * i) / headDim));
  return {
    rows: [
      {
        name: 'k',
        values: { shape: [headDim], data: vector(1) },
        rope: { style: 'half', frequencies: { shape: [headDim / 2], data: frequencies } },
      },
      { name: 'v', values: { shape: [headDim], data: vector(2) }, rope: null },
    ],
    provenance: provenance(`blocks.${layer}.state.k`),
  };
}
