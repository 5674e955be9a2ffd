/** fp32 value of each of the 65536 half-precision codes (IEEE 754 binary16): one load per value beats bit arithmetic. */
export declare function halfToFloat(): Float32Array;
/** Little-endian 16-bit code at `at`. */
export declare const code16: (bytes: Uint8Array, at: number) => number;
