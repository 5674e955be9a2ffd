import type { Checkpoint } from '../formats/checkpoint.js';
import type { RunDtype } from '../protocol/models.js';
import { memoryNeeded } from '../runtime/model.js';
import { graphMemory } from '../runtime/onnx/sequenceModel.js';
import { bindStacks } from '../runtime/stacks.js';

/** Bytes that a checkpoint takes once it is open to compute in `dtype` where so many are available: those of all its stacks. Reads no weights. Errors: those of binding. */
export async function neededMemory(checkpoint: Checkpoint, dtype: RunDtype, available: number): Promise<number> {
  if (checkpoint.format === 'onnx') return graphMemory(checkpoint);
  const { stacks } = await bindStacks(checkpoint);
  return [...stacks.values()].reduce((sum, stack) => sum + memoryNeeded(checkpoint, stack, dtype, available), 0);
}
