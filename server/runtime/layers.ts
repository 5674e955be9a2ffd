import type { Stack } from '../graph/architecture.js';
import type { BoundStack } from '../graph/segment.js';
import type { StateSpec } from '../graph/state.js';
import { rowsKept } from '../protocol/keeps.js';
import type { LayerSummary, StateSummary } from '../protocol/models.js';
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
    ...(spec.learned && { learned: true }),
  };
}

/** Every block as views see it: what mixes tokens, its heads, its declared state. */
export function describeLayers({ architecture, config }: BoundStack, tower = ''): LayerView[] {
  const stack: Stack = architecture;
  return Array.from({ length: config.layers }, (_, index) => {
    const { mixer, attention, heads, headDim, causal = attention?.causal } = stack.layer(config, index);
    return {
      index,
      ...(tower !== '' && { tower }),
      mixer,
      heads,
      kvHeads: attention?.kvHeads ?? heads,
      headDim,
      window: attention?.window ?? null,
      ...(causal === false && { causal }),
      ...(attention?.chunk !== undefined && { chunk: attention.chunk }),
      ...(attention?.part !== undefined && { part: attention.part }),
      state: stack.state(config, index).map(summarise),
      attention,
    };
  });
}

/** fp32 bytes of all declared state after T tokens. */
export const stateBytesAt = (layers: readonly LayerSummary[], tokens: number): number =>
  layers.flatMap((layer) => describeState(layer, tokens)).reduce((sum, s) => sum + s.bytes, 0);

/** Declared state of one block by full name, with its shape and bytes after T tokens. */
export const describeState = (layer: LayerSummary, tokens: number) =>
  layer.state.map((s) => {
    const rows = rowsKept(s.keeps, tokens);
    return {
      name: `${layer.tower === undefined ? '' : `${layer.tower}.`}blocks.${layer.index}.state.${s.name}`,
      kind: s.kind,
      shape: s.shape.map((d) => (d === 'S' ? rows : d)),
      dtype: 'F32',
      bytes: s.bytesFixed + s.bytesPerToken * rows,
    };
  });
