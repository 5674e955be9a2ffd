import type { WireTensor } from './tensors.js';

let floats: Float32Array | null = null;

/** fp32 value of each of the 65536 half-precision codes (IEEE 754 binary16): one load per value beats bit arithmetic. */
export function halfToFloat(): Float32Array {
  floats ??= Float32Array.from({ length: 65536 }, (_, code) => {
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code >> 10) & 31;
    const mantissa = code & 1023;
    if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
  });
  return floats;
}

const scratch = new DataView(new ArrayBuffer(4));

/** The nearest half-precision code, ties to even (IEEE 754). */
export function floatToHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // below the smallest normal half the step is 2⁻²⁴
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24);
  return sign | (roundEven(magnitude / 2 ** 13) - (112 << 10));
}

function roundEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** The nearest value that half precision has; beyond 65,504 infinity. */
export const toHalf = (value: number): number => halfToFloat()[floatToHalf(value)] as number;

/** Half-precision codes of value / scale. */
export interface WireHalves {
  readonly shape: readonly number[];
  readonly codes: Uint16Array;
  /** The largest value. */
  readonly scale: number;
}

/** Half the bytes, and three digits of every value: for magnitudes that are drawn, not computed with. */
export function halves(shape: readonly number[], values: Float32Array): WireHalves {
  const most = values.reduce((most, value) => (value < Number.POSITIVE_INFINITY ? Math.max(most, value) : most), 0);
  const scale = most || 1;
  return { shape, codes: Uint16Array.from(values, (value) => floatToHalf(value / scale)), scale };
}

/** The values of what travels in either way. */
export function valuesOf(tensor: WireTensor | WireHalves): Float32Array {
  if ('data' in tensor) return tensor.data;
  const floats = halfToFloat();
  return Float32Array.from(tensor.codes, (code) => (floats[code] as number) * tensor.scale);
}
