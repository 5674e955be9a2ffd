import { code16, halfToFloat } from '../tensor/half.js';
import { minimum6, scale6 } from './ggmlSuper.js';

/**
 * GGML types whose blocks are whole numbers with a scale: value = scale · (code − 2^(bits − 1)) + floor, one scale and one floor for each run of
 * values. They can be multiplied as they are. Codes are centred, so that nothing large cancels.
 */
export interface Integers {
  readonly bits: 4 | 8;
  /** Values that share a scale. */
  readonly run: 16 | 32;
  /** False: every floor is 0. */
  readonly floors: boolean;
  /** Splits whole blocks of a file: a code a value in the order of the values, a scale and a floor a run. */
  readonly split: (bytes: Uint8Array, out: Runs) => void;
}

export interface Runs {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly floors: Float32Array;
}

/** One block: `at` in the file's bytes, `to` in the codes, `run` in scales and floors. */
type Split = (bytes: Uint8Array, at: number, half: Float32Array, out: Runs, to: number, run: number) => void;

const integers = (
  bits: 4 | 8,
  run: 16 | 32,
  block: { values: number; bytes: number },
  floors: boolean,
  split: Split,
): Integers => ({
  bits,
  run,
  floors,
  split: (bytes, out) => {
    const half = halfToFloat();
    for (let at = 0, to = 0; to < out.codes.length; at += block.bytes, to += block.values)
      split(bytes, at, half, out, to, to / run);
  },
});

/** 16 bytes of nibbles: values 0…15 in the low halves, 16…31 in the high ones. */
function nibbles(bytes: Uint8Array, from: number, codes: Uint8Array, to: number): void {
  for (let i = 0; i < 16; i++) {
    const pair = bytes[from + i] as number;
    codes[to + i] = pair & 15;
    codes[to + 16 + i] = pair >> 4;
  }
}

const q4_0: Split = (bytes, at, half, { codes, scales }, to, run) => {
  scales[run] = half[code16(bytes, at)] as number;
  nibbles(bytes, at + 2, codes, to);
};

const q4_1: Split = (bytes, at, half, { codes, scales, floors }, to, run) => {
  const d = half[code16(bytes, at)] as number;
  scales[run] = d;
  floors[run] = (half[code16(bytes, at + 2)] as number) + 8 * d;
  nibbles(bytes, at + 4, codes, to);
};

const q8_0: Split = (bytes, at, half, { codes, scales }, to, run) => {
  scales[run] = half[code16(bytes, at)] as number;
  for (let i = 0; i < 32; i++) codes[to + i] = (bytes[at + 2 + i] as number) ^ 128;
};

/** Sub-blocks of the k-quants with a minimum; `centre` is the code that stands for zero before the shift to 2^(bits − 1). */
function affine(bytes: Uint8Array, at: number, half: Float32Array, { scales, floors }: Runs, run: number, centre: number): void {
  const d = half[code16(bytes, at)] as number;
  const dmin = half[code16(bytes, at + 2)] as number;
  for (let sub = 0; sub < 8; sub++) {
    const scale = d * scale6(bytes, at + 4, sub);
    scales[run + sub] = scale;
    floors[run + sub] = centre * scale - dmin * minimum6(bytes, at + 4, sub);
  }
}

const q4k: Split = (bytes, at, half, out, to, run) => {
  affine(bytes, at, half, out, run, 8);
  for (let sub = 0; sub < 8; sub++) {
    const from = at + 16 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    for (let i = 0; i < 32; i++) out.codes[to + sub * 32 + i] = ((bytes[from + i] as number) >> shift) & 15;
  }
};

const q5k: Split = (bytes, at, half, out, to, run) => {
  affine(bytes, at, half, out, run, 16);
  for (let sub = 0; sub < 8; sub++) {
    const from = at + 48 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    for (let i = 0; i < 32; i++) {
      const fifth = ((bytes[at + 16 + i] as number) >> sub) & 1;
      out.codes[to + sub * 32 + i] = 112 + ((((bytes[from + i] as number) >> shift) & 15) | (fifth << 4));
    }
  }
};

const q6k: Split = (bytes, at, half, { codes, scales }, to, run) => {
  const d = half[code16(bytes, at + 208)] as number;
  for (let sub = 0; sub < 16; sub++) scales[run + sub] = d * (((bytes[at + 192 + sub] as number) << 24) >> 24);
  for (let part = 0; part < 8; part++) {
    const [side, quarter] = [part >> 2, part & 3];
    const lows = at + side * 64 + (quarter & 1) * 32;
    const highs = at + 128 + side * 32;
    const lowShift = (quarter >> 1) * 4;
    for (let i = 0; i < 32; i++) {
      const low = ((bytes[lows + i] as number) >> lowShift) & 15;
      const high = ((bytes[highs + i] as number) >> (quarter * 2)) & 3;
      codes[to + part * 32 + i] = 96 + (low | (high << 4));
    }
  }
};

/** By the name of the type. The others either have no such form (their codes index a table) or are not worth one. */
export const ggmlIntegers: ReadonlyMap<string, Integers> = new Map([
  ['Q4_0', integers(4, 32, { values: 32, bytes: 18 }, false, q4_0)],
  ['Q4_1', integers(4, 32, { values: 32, bytes: 20 }, true, q4_1)],
  ['Q8_0', integers(8, 32, { values: 32, bytes: 34 }, false, q8_0)],
  ['Q4_K', integers(4, 32, { values: 256, bytes: 144 }, true, q4k)],
  ['Q5_K', integers(8, 32, { values: 256, bytes: 176 }, true, q5k)],
  ['Q6_K', integers(8, 16, { values: 256, bytes: 210 }, false, q6k)],
]);
