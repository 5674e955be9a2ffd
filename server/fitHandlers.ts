import { measureAny, predictAny } from './analyses/fitAny.js';
import { type Checkpoint, modelType } from './formats/checkpoint.js';
import { openCheckpoint } from './formats/registry.js';
import type { Handlers } from './handlers.types.js';
import { usualSize } from './image/preprocess.js';
import type { Lab } from './lab/lab.js';
import type { FitWanted } from './protocol/fit.js';
import { alone } from './runtime/view.js';

/** Whether models run on a machine, and how fast. */
export const fitHandlers = (lab: Lab) =>
  ({
    'fit/machines': () => lab.machines.list,
    'fit/predict': async ({ path, machine, ...wanted }, context) => {
      const on = await lab.machines.get(machine, context);
      const checkpoint = await lab.checkpointAt(path, context.signal);
      return predictAny(checkpoint, { ...withImage(checkpoint, wanted), machine: on, free: lab.freeMemory, device: lab.device });
    },
    'fit/measure': async ({ path, ...wanted }, { signal, progress }) => {
      // what else runs on the machine changes: both sides are measured now
      await lab.machines.measure({ ...alone, signal });
      const onProgress = (done: number, total: number) => progress(done, total, 'Timing each part');
      const compute = await lab.machines.compute();
      const checkpoint = await openCheckpoint(path);
      const options = { device: lab.device, ...compute, signal, onProgress };
      return measureAny(checkpoint, withImage(checkpoint, wanted), options);
    },
  }) satisfies Partial<Handlers>;

/** An image of no size in particular has the one that this model's images are prepared to. */
export const withImage = (checkpoint: Checkpoint, wanted: FitWanted): FitWanted => ({
  ...wanted,
  pixels: wanted.pixels ?? usualSize(checkpoint.preprocessor ?? null, modelType(checkpoint)) ?? undefined,
});
