import type { ModelInfo } from '../protocol/models.js';
import type { RunRecipe } from '../protocol/runs.js';
import { PatternAttention } from '../runtime/patternAttention.js';
import type { RunView } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Inspected } from './labRun.js';
import type { Memo } from './memo.js';

export interface ViewedRun {
  readonly id: string;
  readonly recipe: RunRecipe;
  readonly model: ModelInfo;
  readonly engine: Inspected;
}

/** A run as analyses see it. Probes already computed for the same tokens come from the cache: tokens never change once they ran. */
export function createRunView({ id, recipe, model, engine }: ViewedRun, memo: Memo): RunView {
  const view: RunView = {
    id,
    recipe,
    model,
    layers: engine.layers,
    ids: engine.ids,
    probes: async (names, { range = { from: 0, to: engine.ids.length }, signal } = {}) => {
      const key = (name: string) => `${id}/${range.from}-${range.to}/${name}`;
      const known = new Map<string, Tensor>();
      for (const name of names) {
        const tensor = memo.known<Tensor>(key(name));
        if (tensor) known.set(name, tensor);
      }
      const missing = names.filter((name) => !known.has(name));
      if (missing.length === 0) return known;
      for (const [name, tensor] of await engine.probes(missing, { range, ...(signal && { signal }) })) {
        known.set(name, tensor);
        memo.keep({ key: key(name), value: tensor, bytes: tensor.data.byteLength });
      }
      return known;
    },
    attention: (layer) => engine.attention?.(layer) ?? new PatternAttention(view, layer),
    memo: (key, ...rest) => memo.get(`${id}/${key}`, ...rest),
    known: (key) => memo.known(`${id}/${key}`),
    keep: ({ key, ...kept }) => memo.keep({ key: `${id}/${key}`, ...kept }),
    reach: (token) => engine.reach?.(token) ?? token + 1,
    allocatedBytes: (layer) => engine.stateBytes(layer),
  };
  return view;
}
