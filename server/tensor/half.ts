/** Little-endian 16-bit code at `at`. */
export const code16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);

/** The nearest value of IEEE 754 binary16, ties to even; beyond 65,504 infinity. */
export function toHalf(x: number): number {
  const size = Math.abs(x);
  if (!Number.isFinite(x) || size === 0) return x;
  const exponent = Math.max(-14, Math.min(15, Math.floor(Math.log2(size))));
  const step = 2 ** (exponent - 10);
  const steps = size / step;
  const low = Math.floor(steps);
  const up = steps - low > 0.5 || (steps - low === 0.5 && low % 2 === 1);
  const rounded = (up ? low + 1 : low) * step;
  return Math.sign(x) * (rounded > 65_504 ? Number.POSITIVE_INFINITY : rounded);
}
