import { readRaw, readTensor } from '../formats/read.js';
import { openCheckpoint } from '../formats/registry.js';
import { LabError } from '../protocol/errors.js';
import { elementOf, type HostTensor, hostTensor } from '../runtime/elements.js';
import type { Tensors } from '../runtime/forward.js';

const notInput = (name: string, dtype: string) =>
  new LabError({
    code: 'INPUT_DTYPE',
    message: `Tensor ${name} of the inputs is ${dtype}.`,
    hint: 'Inputs are floats, whole numbers or truth values.',
  });

/** Tensors of a file by name, in the types they are stored in; floats that no session takes become fp32, which holds them. Errors: those of the format, INPUT_DTYPE. */
export async function readInputs(file: string): Promise<Tensors> {
  const checkpoint = await openCheckpoint(file);
  const inputs = new Map<string, HostTensor>();
  for (const entry of checkpoint.tensors.values()) {
    const { name, dtype, shape: dims } = entry;
    const type = elementOf(dtype);
    if (type) inputs.set(name, hostTensor(type, dims, await readRaw(checkpoint, entry)));
    else if (/^(B?F|F8_)/.test(dtype)) inputs.set(name, { type: 'float32', dims, data: await readTensor(checkpoint, entry) });
    else throw notInput(name, dtype);
  }
  return inputs;
}
