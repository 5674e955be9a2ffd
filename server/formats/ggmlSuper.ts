import { code16 } from '../tensor/half.js';

/**
 * GGML's super-blocks: 256 values in sub-blocks that share scales, which are quantised themselves (k-quants), and the
 * non-linear 4-bit types. Layouts from ggml-common.h, arithmetic from ggml-quants.c. Every function decodes one block of
 * `bytes` at `at` into `out` at `to`; `half` maps fp16 codes to values.
 */
export type Block = (bytes: Uint8Array, at: number, half: Float32Array, out: Float32Array, to: number) => void;

const signed8 = (byte: number): number => (byte << 24) >> 24;

/** scales[16] (4-bit scale, 4-bit minimum of 16 values each), 2-bit values[64], d, dmin. */
export const q2k: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at + 80)] as number;
  const dmin = half[code16(bytes, at + 82)] as number;
  for (let sub = 0; sub < 16; sub++) {
    const scales = bytes[at + sub] as number;
    const scale = d * (scales & 15);
    const minimum = dmin * (scales >> 4);
    const from = at + 16 + (sub >> 3) * 32 + (sub & 1) * 16;
    const shift = ((sub & 7) >> 1) * 2;
    for (let i = 0; i < 16; i++) out[to + sub * 16 + i] = scale * (((bytes[from + i] as number) >> shift) & 3) - minimum;
  }
};

/** third bits[32], 2-bit values[64], 6-bit scales[12], d. A third bit that is *clear* subtracts 4. */
export const q3k: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at + 108)] as number;
  for (let sub = 0; sub < 16; sub++) {
    const low = ((bytes[at + 96 + (sub & 7)] as number) >> (sub < 8 ? 0 : 4)) & 15;
    const high = ((bytes[at + 104 + (sub & 3)] as number) >> ((sub >> 2) * 2)) & 3;
    const scale = d * ((low | (high << 4)) - 32);
    const from = at + 32 + (sub >> 3) * 32 + (sub & 1) * 16;
    const thirds = at + (sub & 1) * 16;
    const shift = ((sub & 7) >> 1) * 2;
    const bit = sub >> 1;
    for (let i = 0; i < 16; i++) {
      const third = ((bytes[thirds + i] as number) >> bit) & 1;
      out[to + sub * 16 + i] = scale * ((((bytes[from + i] as number) >> shift) & 3) - (third ? 0 : 4));
    }
  }
};

/** 6-bit scale of sub-block `sub` in the 12 packed bytes at `at`. */
export const scale6 = (bytes: Uint8Array, at: number, sub: number): number =>
  sub < 4
    ? (bytes[at + sub] as number) & 63
    : ((bytes[at + sub + 4] as number) & 15) | (((bytes[at + sub - 4] as number) >> 6) << 4);
export const minimum6 = (bytes: Uint8Array, at: number, sub: number): number =>
  sub < 4
    ? (bytes[at + sub + 4] as number) & 63
    : ((bytes[at + sub + 4] as number) >> 4) | (((bytes[at + sub] as number) >> 6) << 4);

/** d, dmin, scales[12], 4-bit values[128]: 32 bytes hold sub-block 2j in the low halves and 2j + 1 in the high ones. */
export const q4k: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const dmin = half[code16(bytes, at + 2)] as number;
  for (let sub = 0; sub < 8; sub++) {
    const scale = d * scale6(bytes, at + 4, sub);
    const minimum = dmin * minimum6(bytes, at + 4, sub);
    const from = at + 16 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    const end = to + sub * 32;
    for (let i = 0; i < 32; i++) out[end + i] = scale * (((bytes[from + i] as number) >> shift) & 15) - minimum;
  }
};

/** d, dmin, scales[12], fifth bits[32], 4-bit values[128]. */
export const q5k: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const dmin = half[code16(bytes, at + 2)] as number;
  for (let sub = 0; sub < 8; sub++) {
    const scale = d * scale6(bytes, at + 4, sub);
    const minimum = dmin * minimum6(bytes, at + 4, sub);
    const from = at + 48 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    for (let i = 0; i < 32; i++) {
      const fifth = ((bytes[at + 16 + i] as number) >> sub) & 1;
      out[to + sub * 32 + i] = scale * ((((bytes[from + i] as number) >> shift) & 15) | (fifth << 4)) - minimum;
    }
  }
};

/** low nibbles[128], high pairs[64], signed scales[16], d. Each half of 128 values has four runs of 32. */
export const q6k: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at + 208)] as number;
  for (let run = 0; run < 8; run++) {
    const side = run >> 2;
    const quarter = run & 3;
    const lows = at + side * 64 + (quarter & 1) * 32;
    const highs = at + 128 + side * 32;
    const lowShift = (quarter >> 1) * 4;
    for (let i = 0; i < 32; i++) {
      const scale = d * signed8(bytes[at + 192 + run * 2 + (i >> 4)] as number);
      const low = ((bytes[lows + i] as number) >> lowShift) & 15;
      const high = ((bytes[highs + i] as number) >> (quarter * 2)) & 3;
      out[to + run * 32 + i] = scale * ((low | (high << 4)) - 32);
    }
  }
};

/** 2-bit ternary values[64] meaning −1, 0, 1, then d. */
export const tq2: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at + 64)] as number;
  for (let run = 0; run < 8; run++)
    for (let i = 0; i < 32; i++)
      out[to + run * 32 + i] = d * ((((bytes[at + (run >> 2) * 32 + i] as number) >> ((run & 3) * 2)) & 3) - 1);
};

const nonLinear = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** d, nibbles that index a fixed non-linear table. */
export const iq4nl: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i] as number;
    out[to + i] = d * (nonLinear[pair & 15] as number);
    out[to + 16 + i] = d * (nonLinear[pair >> 4] as number);
  }
};

/** d, high scale bits (8 × 2), low scale bits[4], nibbles[128] of the same table in 8 runs of 32. */
export const iq4xs: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at)] as number;
  const high = code16(bytes, at + 2);
  for (let sub = 0; sub < 8; sub++) {
    const low = ((bytes[at + 4 + (sub >> 1)] as number) >> ((sub & 1) * 4)) & 15;
    const scale = d * ((low | (((high >> (sub * 2)) & 3) << 4)) - 32);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + sub * 16 + i] as number;
      out[to + sub * 32 + i] = scale * (nonLinear[pair & 15] as number);
      out[to + sub * 32 + 16 + i] = scale * (nonLinear[pair >> 4] as number);
    }
  }
};

/** Twice the E2M1 values, so that they are integers; the exponent below is one less in return. OCP Microscaling Formats v1.0. */
const e2m1 = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/** A shared power of two, nibbles. */
export const mxfp4: Block = (bytes, at, _half, out, to) => {
  const scale = 2 ** ((bytes[at] as number) - 128);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 1 + i] as number;
    out[to + i] = scale * (e2m1[pair & 15] as number);
    out[to + 16 + i] = scale * (e2m1[pair >> 4] as number);
  }
};

/** Four scales (E4M3 without sign, halved because of the doubled table), then 16 values each in 8 bytes of nibbles. */
export const nvfp4: Block = (bytes, at, _half, out, to) => {
  for (let sub = 0; sub < 4; sub++) {
    const scale = unsignedE4m3(bytes[at + sub] as number) / 2;
    for (let i = 0; i < 8; i++) {
      const pair = bytes[at + 4 + sub * 8 + i] as number;
      out[to + sub * 16 + i] = scale * (e2m1[pair & 15] as number);
      out[to + sub * 16 + 8 + i] = scale * (e2m1[pair >> 4] as number);
    }
  }
};

/** 0x7f, a NaN in E4M3, counts as zero in ggml. */
function unsignedE4m3(code: number): number {
  if (code === 0x7f) return 0;
  const [exponent, mantissa] = [(code >> 3) & 15, code & 7];
  return exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
}

/** Ternary values, five to a byte as a base-3 fraction of 256: 32 bytes, 16 bytes, then 4 bytes with four each; then d. */
export const tq1: Block = (bytes, at, half, out, to) => {
  const d = half[code16(bytes, at + 52)] as number;
  let next = to;
  for (const [from, count, digits] of ternaryRuns)
    for (let digit = 0, power = 1; digit < digits; digit++, power *= 3)
      for (let i = 0; i < count; i++) {
        const rest = ((bytes[at + from + i] as number) * power) & 255;
        out[next++] = d * (((rest * 3) >> 8) - 1);
      }
};
const ternaryRuns = [
  [0, 32, 5],
  [32, 16, 5],
  [48, 4, 4],
] as const;
