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

/** Little-endian 16-bit code at `at`. */
export const code16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
