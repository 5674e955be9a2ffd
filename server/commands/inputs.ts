import { readRaw, readTensor } from '../formats/read.js';
import { openCheckpoint } from '../formats/registry.js';
import { LabError } from '../protocol/errors.js';
import type { HostTensor } from '../runtime/device.js';
import type { Tensors } from '../runtime/forward.js';

const notInput = (name: string, dtype: string) =>
  new LabError({
    code: 'INPUT_DTYPE',
    message: `Tensor ${name} of the inputs is ${dtype}.`,
    hint: 'Inputs are floats, whole numbers or truth values.',
  });

/** Tensors of a file by name, whole numbers kept exact. Errors: those of the format, INPUT_DTYPE. */
export async function readInputs(file: string): Promise<Tensors> {
  const checkpoint = await openCheckpoint(file);
  const inputs = new Map<string, HostTensor>();
  for (const entry of checkpoint.tensors.values()) {
    const { name, dtype, shape: dims } = entry;
    if (/^(B?F|F8_)/.test(dtype)) inputs.set(name, { type: 'float32', dims, data: await readTensor(checkpoint, entry) });
    else if (/^[IU](8|16|32|64)$|^BOOL$/.test(dtype)) {
      const data = wholeNumbers(dtype, await readRaw(checkpoint, entry));
      inputs.set(
        name,
        dtype === 'BOOL' ? { type: 'bool', dims, data: Uint8Array.from(data, Number) } : { type: 'int64', dims, data },
      );
    } else throw notInput(name, dtype);
  }
  return inputs;
}

const arrays = {
  BOOL: Uint8Array,
  I8: Int8Array,
  U8: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

function wholeNumbers(dtype: string, bytes: Uint8Array<ArrayBuffer>): BigInt64Array {
  return BigInt64Array.from(new arrays[dtype as keyof typeof arrays](bytes.buffer) as Uint8Array, BigInt);
}
