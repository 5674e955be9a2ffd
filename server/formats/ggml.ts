/**
 * GGML's types: blocks of 32 values here, the others in ggmlSuper.ts and ggmlGridBlocks.ts. Layouts from ggml-common.h, arithmetic from ggml-quants.c
 * (d, m are fp16). Products of a fp16 scale and a small integer are exact in double, so rounding once to fp32 gives ggml's bits.
 */

import { code16, halfToFloat } from '../tensor/half.js';
import type { Dtype } from './dtype.js';
import { iq1m, iq1s, iq2s, iq2xs, iq2xxs, iq3s, iq3xxs } from './ggmlGridBlocks.js';
import { type Block, iq4nl, iq4xs, mxfp4, nvfp4, q2k, q3k, q4k, q5k, q6k, tq1, tq2 } from './ggmlSuper.js';

const word32 = (bytes: Uint8Array, at: number): number => code16(bytes, at) | (code16(bytes, at + 2) << 16);

/** d, 16 bytes of nibbles: values 0…15 in the low halves, 16…31 in the high ones. */
const q4_0: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i] as number;
    out[to + i] = d * ((pair & 15) - 8);
    out[to + 16 + i] = d * ((pair >> 4) - 8);
  }
};

/** d, m, nibbles. */
const q4_1: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const m = half[code16(bytes, at + 2)] as number;
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 4 + i] as number;
    out[to + i] = d * (pair & 15) + m;
    out[to + 16 + i] = d * (pair >> 4) + m;
  }
};

/** d, 32 fifth bits, nibbles. */
const q5_0: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const fifth = word32(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 6 + i] as number;
    out[to + i] = d * (((pair & 15) | (((fifth >> i) & 1) << 4)) - 16);
    out[to + 16 + i] = d * (((pair >> 4) | (((fifth >> (i + 16)) & 1) << 4)) - 16);
  }
};

/** d, m, 32 fifth bits, nibbles. */
const q5_1: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const m = half[code16(bytes, at + 2)] as number;
  const fifth = word32(bytes, at + 4);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 8 + i] as number;
    out[to + i] = d * ((pair & 15) | (((fifth >> i) & 1) << 4)) + m;
    out[to + 16 + i] = d * ((pair >> 4) | (((fifth >> (i + 16)) & 1) << 4)) + m;
  }
};

/** d, 32 signed bytes. */
const q8_0: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 32; i++) out[to + i] = d * (((bytes[at + 2 + i] as number) << 24) >> 24);
};

const blocks = (elements: number, bytes: number, block: Block | null): Dtype => ({
  elements,
  bytes,
  decode:
    block &&
    ((data, out) => {
      const half = halfToFloat();
      for (let at = 0, to = 0; to < out.length; at += bytes, to += elements) block(data, at, half, out, to);
    }),
});

/** Id in the file → name; ids of types that were removed from GGML are absent. */
export const ggmlTypes: ReadonlyMap<number, string> = new Map(
  Object.entries({
    F32: 0,
    F16: 1,
    Q4_0: 2,
    Q4_1: 3,
    Q5_0: 6,
    Q5_1: 7,
    Q8_0: 8,
    Q8_1: 9,
    Q2_K: 10,
    Q3_K: 11,
    Q4_K: 12,
    Q5_K: 13,
    Q6_K: 14,
    Q8_K: 15,
    IQ2_XXS: 16,
    IQ2_XS: 17,
    IQ3_XXS: 18,
    IQ1_S: 19,
    IQ4_NL: 20,
    IQ3_S: 21,
    IQ2_S: 22,
    IQ4_XS: 23,
    I8: 24,
    I16: 25,
    I32: 26,
    I64: 27,
    F64: 28,
    IQ1_M: 29,
    BF16: 30,
    TQ1_0: 34,
    TQ2_0: 35,
    MXFP4: 39,
    NVFP4: 40,
  }).map(([name, id]) => [id, name]),
);

export const ggmlBlocks: readonly (readonly [string, Dtype])[] = [
  ['Q4_0', blocks(32, 18, q4_0)],
  ['Q4_1', blocks(32, 20, q4_1)],
  ['Q5_0', blocks(32, 22, q5_0)],
  ['Q5_1', blocks(32, 24, q5_1)],
  ['Q8_0', blocks(32, 34, q8_0)],
  ['Q2_K', blocks(256, 84, q2k)],
  ['Q3_K', blocks(256, 110, q3k)],
  ['Q4_K', blocks(256, 144, q4k)],
  ['Q5_K', blocks(256, 176, q5k)],
  ['Q6_K', blocks(256, 210, q6k)],
  ['IQ4_NL', blocks(32, 18, iq4nl)],
  ['IQ4_XS', blocks(256, 136, iq4xs)],
  ['TQ1_0', blocks(256, 54, tq1)],
  ['TQ2_0', blocks(256, 66, tq2)],
  ['MXFP4', blocks(32, 17, mxfp4)],
  ['NVFP4', blocks(64, 36, nvfp4)],
  ['IQ2_XXS', blocks(256, 66, iq2xxs)],
  ['IQ2_XS', blocks(256, 74, iq2xs)],
  ['IQ3_XXS', blocks(256, 98, iq3xxs)],
  ['IQ1_S', blocks(256, 50, iq1s)],
  ['IQ3_S', blocks(256, 110, iq3s)],
  ['IQ2_S', blocks(256, 82, iq2s)],
  ['IQ1_M', blocks(256, 56, iq1m)],
  // Formats of activations, which no file holds as weights: listed with their sizes only.
  ['Q8_1', blocks(32, 40, null)],
  ['Q8_K', blocks(256, 292, null)],
];
