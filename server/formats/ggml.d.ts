/**
 * GGML's types: blocks of 32 values here, the others in ggmlSuper.ts. Layouts from ggml-common.h, arithmetic from ggml-quants.c
 * (d, m are fp16). Products of a fp16 scale and a small integer are exact in double, so rounding once to fp32 gives ggml's bits.
 */
import type { Dtype } from './dtypes.js';
/** Id in the file → name; ids of types that were removed from GGML are absent. */
export declare const ggmlTypes: ReadonlyMap<number, string>;
export declare const ggmlBlocks: readonly (readonly [string, Dtype])[];
