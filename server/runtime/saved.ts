import { decodeBytes } from '../formats/read.js';
import type { Saved } from '../formats/writeSafetensors.js';
import { elements, floatsOf, type HostTensor } from './elements.js';

/** 8-bit floats by the bits of their value as fp32, made when one is first written. */
const codes = new Map<string, ReadonlyMap<number, number>>();

/** A tensor as it is written to a file: in the type that the model has it in, where safetensors knows that type. */
export function saved(tensor: HostTensor): Saved {
  const { dims: shape, own } = tensor;
  if (own === 'BF16') return { shape, data: Uint16Array.from(bitsOf(tensor), (bits) => bits >>> 16), dtype: own };
  if (own !== undefined && /^F8_/.test(own)) {
    const table = codesOf(own);
    return {
      shape,
      data: Uint8Array.from(bitsOf(tensor), (bits) => table.get(bits) ?? (table.get(NOT_A_NUMBER) as number)),
      dtype: own,
    };
  }
  return { shape, data: tensor.data, dtype: elements[tensor.type].dtype };
}

const NOT_A_NUMBER = 0x7fc00000;

function bitsOf(tensor: HostTensor): Uint32Array {
  const values = Float32Array.from(floatsOf(tensor), (value) => value);
  return new Uint32Array(values.buffer);
}

/** Every code by the bits of its value; the first of those that are no number for all of them. */
function codesOf(dtype: string): ReadonlyMap<number, number> {
  const known = codes.get(dtype);
  if (known) return known;
  const values = new Float32Array(256);
  decodeBytes(
    dtype,
    Uint8Array.from({ length: 256 }, (_, code) => code),
    values,
  );
  const bits = new Uint32Array(values.buffer);
  const table = new Map<number, number>();
  for (let code = 255; code >= 0; code--) table.set(Number.isNaN(values[code]) ? NOT_A_NUMBER : (bits[code] as number), code);
  codes.set(dtype, table);
  return table;
}
