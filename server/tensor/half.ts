/** Little-endian 16-bit code at `at`. */
export const code16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
