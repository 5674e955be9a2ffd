import { type ActiveContext, NOTHING_ACTIVE } from '../language/context.js';
import { alone } from '../runtime/view.js';
import { tensorSummaries } from '../summary.js';
import { norm } from '../tensor/reduce.js';
import type { Lab } from './lab.js';

/** What is on screen, as hovers see it. A model or run that is gone is none. */
export function activeContext(lab: Lab): ActiveContext {
  const { active } = lab;
  const run = lab.runs.list.find(({ id }) => id === active.run) ?? null;
  const model = run?.model ?? lab.models.list.find(({ id }) => id === active.model);
  if (!model) return NOTHING_ACTIVE;
  return {
    model: model.info,
    run: run?.detail ?? null,
    config: model.checkpoint.config,
    tensors: tensorSummaries(model.checkpoint),
    tokenizer: model.tokenizer,
    layer: active.layer,
    readProbe: async (name, signal) => {
      // a hover does not wait for a run to be computed again
      if (!run || run.dropped) return null;
      const read = await lab.runs.use(run.id, { ...alone, signal }, (view, watched) =>
        view.probes([name], { signal: watched.signal }),
      );
      const tensor = read.get(name);
      if (!tensor) return null;
      return { shape: tensor.shape, dtype: 'F32', bytes: tensor.data.byteLength, norm: norm(tensor.data) };
    },
  };
}
