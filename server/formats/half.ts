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

/** Little-endian 16-bit code at `at`. */
export const code16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
