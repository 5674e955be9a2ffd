/**
 * GGML's super-blocks: 256 values in sub-blocks that share scales, which are quantised themselves (k-quants), and the
 * non-linear 4-bit types. Layouts from ggml-common.h, arithmetic from ggml-quants.c. Every function decodes one block of
 * `bytes` at `at` into `out` at `to`; `half` maps fp16 codes to values.
 */
export type Block = (bytes: Uint8Array, at: number, half: Float32Array, out: Float32Array, to: number) => void;
/** scales[16] (4-bit scale, 4-bit minimum of 16 values each), 2-bit values[64], d, dmin. */
export declare const q2k: Block;
/** third bits[32], 2-bit values[64], 6-bit scales[12], d. A third bit that is *clear* subtracts 4. */
export declare const q3k: Block;
/** d, dmin, scales[12], 4-bit values[128]: 32 bytes hold sub-block 2j in the low halves and 2j + 1 in the high ones. */
export declare const q4k: Block;
/** d, dmin, scales[12], fifth bits[32], 4-bit values[128]. */
export declare const q5k: Block;
/** low nibbles[128], high pairs[64], signed scales[16], d. Each half of 128 values has four runs of 32. */
export declare const q6k: Block;
/** 2-bit ternary values[64] meaning −1, 0, 1, then d. */
export declare const tq2: Block;
/** d, nibbles that index a fixed non-linear table. */
export declare const iq4nl: Block;
/** d, high scale bits (8 × 2), low scale bits[4], nibbles[128] of the same table in 8 runs of 32. */
export declare const iq4xs: Block;
/** A shared power of two, nibbles. */
export declare const mxfp4: Block;
/** Four scales (E4M3 without sign, halved because of the doubled table), then 16 values each in 8 bytes of nibbles. */
export declare const nvfp4: Block;
/** Ternary values, five to a byte as a base-3 fraction of 256: 32 bytes, 16 bytes, then 4 bytes with four each; then d. */
export declare const tq1: Block;
