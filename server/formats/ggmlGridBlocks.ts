import { code16 } from '../tensor/half.js';
import { iq1Grid, iq2sGrid, iq2xsGrid, iq2xxsGrid, iq3sGrid, iq3xxsGrid } from './ggmlGrids.js';
import type { Block } from './ggmlSuper.js';

/**
 * GGML's types whose values come from code books: 256 values a block, 4 or 8 of them for each entry named. Layouts from
 * ggml-common.h, arithmetic from ggml-quants.c. Scale and value have so few bits that their product is exact in fp32.
 */

/** Seven stored signs and the eighth, which makes the number of minuses even. */
const evenSigns = Uint8Array.from({ length: 128 }, (_, signs) => {
  let parity = signs;
  for (const shift of [4, 2, 1]) parity ^= parity >> shift;
  return signs | ((parity & 1) << 7);
});

const word32 = (bytes: Uint8Array, at: number): number => (code16(bytes, at) | (code16(bytes, at + 2) << 16)) >>> 0;

/** Entry `entry` of a book of magnitudes, `size` values, negative where `signs` has a bit. */
function put(out: Float32Array, to: number, scale: number, grid: Int8Array, size: 4 | 8, entry: number, signs: number): void {
  for (let i = 0; i < size; i++) {
    const value = scale * (grid[entry * size + i] as number);
    out[to + i] = (signs >> i) & 1 ? -value : value;
  }
}

/** Entry `entry` of the ternary book, shifted by `delta`. */
function putTernary(out: Float32Array, to: number, scale: number, delta: number, entry: number): void {
  for (let i = 0; i < 8; i++) out[to + i] = scale * ((iq1Grid[entry * 8 + i] as number) + delta);
}

/** d; for each 32 values 4 entries[8 bits], then 4 × 7 signs and a 4-bit scale. */
export const iq2xxs: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let sub = 0; sub < 8; sub++) {
    const from = at + 2 + sub * 8;
    const word = word32(bytes, from + 4);
    const scale = d * (0.5 + (word >>> 28)) * 0.25;
    for (let i = 0; i < 4; i++) {
      const signs = evenSigns[(word >>> (7 * i)) & 127] as number;
      put(out, to + sub * 32 + i * 8, scale, iq2xxsGrid, 8, bytes[from + i] as number, signs);
    }
  }
};

/** d, (9-bit entry, 7 signs)[32], 4-bit scales[16]. */
export const iq2xs: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 32; i++) {
    const code = code16(bytes, at + 2 + i * 2);
    const scale = d * (0.5 + nibble(bytes, at + 66, i >> 1)) * 0.25;
    put(out, to + i * 8, scale, iq2xsGrid, 8, code & 511, evenSigns[code >> 9] as number);
  }
};

/** d, entries[32] (low 8 bits), signs[32], high 2 bits[32], 4-bit scales[16]. */
export const iq2s: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 32; i++) {
    const high = ((bytes[at + 66 + (i >> 2)] as number) >> ((i & 3) * 2)) & 3;
    const scale = d * (0.5 + nibble(bytes, at + 74, i >> 1)) * 0.25;
    put(out, to + i * 8, scale, iq2sGrid, 8, (bytes[at + 2 + i] as number) | (high << 8), bytes[at + 34 + i] as number);
  }
};

/** d, entries[64], then for each 32 values 4 × 7 signs and a 4-bit scale. */
export const iq3xxs: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let sub = 0; sub < 8; sub++) {
    const word = word32(bytes, at + 66 + sub * 4);
    const scale = d * (0.5 + (word >>> 28)) * 0.5;
    for (let i = 0; i < 8; i++) {
      const signs = (evenSigns[(word >>> (7 * (i >> 1))) & 127] as number) >> ((i & 1) * 4);
      put(out, to + sub * 32 + i * 4, scale, iq3xxsGrid, 4, bytes[at + 2 + sub * 8 + i] as number, signs);
    }
  }
};

/** d, entries[64] (low 8 bits), ninth bits[64], signs of 8 values[32], 4-bit scales[8]. */
export const iq3s: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 64; i++) {
    const ninth = ((bytes[at + 66 + (i >> 3)] as number) >> (i & 7)) & 1;
    const signs = (bytes[at + 74 + (i >> 1)] as number) >> ((i & 1) * 4);
    const scale = d * (1 + 2 * nibble(bytes, at + 106, i >> 3));
    put(out, to + i * 4, scale, iq3sGrid, 4, (bytes[at + 2 + i] as number) | (ninth << 8), signs);
  }
};

/** d, entries[32] (low 8 bits), then for each 32 values 4 × 3 high bits, a 3-bit scale and the sign of the shift. */
export const iq1s: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 32; i++) {
    const high = code16(bytes, at + 34 + (i >> 2) * 2);
    const scale = d * (2 * ((high >> 12) & 7) + 1);
    const entry = (bytes[at + 2 + i] as number) | (((high >> ((i & 3) * 3)) & 7) << 8);
    putTernary(out, to + i * 8, scale, high & 0x8000 ? -0.125 : 0.125, entry);
  }
};

/** entries[32] (low 8 bits), (3 high bits, sign of the shift)[32], four words of 4 × 3-bit scales whose top nibbles make d. */
export const iq1m: Block = (bytes, at, half, out, to) => {
  const words = [0, 1, 2, 3].map((i) => code16(bytes, at + 48 + i * 2));
  const d = half[words.reduce((code, word, i) => code | ((word >> 12) << (i * 4)), 0)] as number;
  for (let i = 0; i < 32; i++) {
    const high = nibble(bytes, at + 32, i);
    const scale = d * (2 * (((words[i >> 3] as number) >> (((i >> 1) & 3) * 3)) & 7) + 1);
    putTernary(out, to + i * 8, scale, high & 8 ? -0.125 : 0.125, (bytes[at + i] as number) | ((high & 7) << 8));
  }
};

const nibble = (bytes: Uint8Array, at: number, i: number): number => ((bytes[at + (i >> 1)] as number) >> ((i & 1) * 4)) & 15;
