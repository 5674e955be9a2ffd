import { readRaw, readTensor } from './formats/read.js';
import { openCheckpoint } from './formats/registry.js';
import { LabError } from './protocol/errors.js';
import { convert, elementOf, type HostTensor, hostTensor } from './runtime/elements.js';
import type { Tensors } from './runtime/forward.js';

const notInput = (name: string, dtype: string) =>
  new LabError({
    code: 'INPUT_DTYPE',
    message: `Tensor ${name} of the inputs is ${dtype}.`,
    hint: 'Inputs are floats, whole numbers or truth values.',
  });

const noIds = (file: string) =>
  new LabError({
    code: 'INPUT_MISSING',
    message: `${file} holds no input_ids.`,
    hint: 'A language model reads whole numbers under that name, [T].',
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

/** The tokens that a file holds for a language model. Errors: those of readInputs, INPUT_MISSING. */
export async function idsOfFile(file: string): Promise<number[]> {
  const held = await readInputs(file);
  const found = held.get('input_ids') ?? (held.size === 1 ? [...held.values()][0] : undefined);
  const ids = found && convert(found, 'int64');
  if (!ids || ids.dims.slice(0, -1).some((size) => size !== 1)) throw noIds(file);
  return Array.from(ids.data as BigInt64Array, Number);
}
