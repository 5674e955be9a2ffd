import type { BoundArchitecture } from '../graph/segment.js';
import type { StateSpec } from '../graph/state.js';
import type { StateSummary } from '../protocol/models.js';
import type { LayerView } from './view.js';

const FLOAT = 4;

function summarise(spec: StateSpec): StateSummary {
  const fixed = spec.shape.reduce<number>((n, d) => (d === 'S' ? n : n * d), FLOAT);
  const grows = spec.kind === 'kv';
  return {
    name: spec.name,
    kind: spec.kind,
    shape: spec.shape,
    bytesFixed: grows ? 0 : fixed,
    bytesPerToken: grows ? fixed : 0,
    keeps: spec.keeps,
  };
}

/** Every block as views see it: what mixes tokens, its heads, its declared state. */
export function describeLayers({ architecture, config }: BoundArchitecture): LayerView[] {
  return Array.from({ length: config.layers }, (_, index) => {
    const { mixer, attention, heads, headDim } = architecture.layer(config, index);
    return {
      index,
      mixer,
      heads,
      kvHeads: attention?.kvHeads ?? heads,
      headDim,
      window: attention?.window ?? null,
      state: architecture.state(config, index).map(summarise),
      attention,
    };
  });
}

/** fp32 bytes of all declared state after T tokens. */
export const stateBytesAt = (layers: readonly LayerView[], tokens: number): number =>
  layers
    .flatMap((layer) => layer.state)
    .reduce((sum, s) => sum + s.bytesFixed + s.bytesPerToken * Math.min(tokens, s.keeps ?? tokens), 0);
