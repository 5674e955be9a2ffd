import type { ModelInfo } from '../protocol/models.js';
import type { RunRecipe } from '../protocol/runs.js';
import type { RunView } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ByteCache } from './byteCache.js';
import type { Inspected } from './labRun.js';

export interface ViewedRun {
  readonly id: string;
  readonly recipe: RunRecipe;
  readonly model: ModelInfo;
  readonly engine: Inspected;
}

/** A run as analyses see it. Probes already computed for the same tokens come from the cache: tokens never change once they ran. */
export function createRunView({ id, recipe, model, engine }: ViewedRun, cache: ByteCache): RunView {
  return {
    id,
    recipe,
    model,
    layers: engine.layers,
    ids: engine.ids,
    probes: async (names, { range = { from: 0, to: engine.ids.length }, signal } = {}) => {
      const key = (name: string) => `${id}/${range.from}-${range.to}/${name}`;
      const known = new Map<string, Tensor>();
      for (const name of names) {
        const tensor = cache.get(key(name));
        if (tensor) known.set(name, tensor);
      }
      const missing = names.filter((name) => !known.has(name));
      if (missing.length === 0) return known;
      for (const [name, tensor] of await engine.probes(missing, { range, ...(signal && { signal }) })) {
        known.set(name, tensor);
        cache.set(key(name), tensor);
      }
      return known;
    },
    allocatedBytes: (layer) => engine.stateBytes(layer),
  };
}
