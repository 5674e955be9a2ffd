import { toHalf } from '../tensor/half.js';

/** A block format as far as it loses something: `there and back` of one block. */
export interface BlockFormat {
  readonly name: string;
  /** Values to a block. */
  readonly size: number;
  /** Bits a value takes, scales included. */
  readonly bits: number;
  /** Writes what `block` comes back as into `out`. Values are finite. */
  roundTrip(block: Float32Array, out: Float32Array): void;
}

const largestOf = (block: Float32Array): number => block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** GGML's Q8_0: q = round(x / d), d = max|x| / 127 kept as binary16. */
const q8: BlockFormat = {
  name: 'Q8_0',
  size: 32,
  bits: 8.5,
  roundTrip(block, out) {
    const scale = Math.fround(largestOf(block) / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const kept = toHalf(scale);
    for (const [i, x] of block.entries()) out[i] = away(Math.fround(x * inverse)) * kept;
  },
};

/** C's roundf: halves away from zero. */
const away = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/** GGML's Q4_0: d = x / −8 of the x of largest magnitude, q = ⌊x / d + 8.5⌋ in 0…15. */
const q4: BlockFormat = {
  name: 'Q4_0',
  size: 32,
  bits: 4.5,
  roundTrip(block, out) {
    const extreme = block.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
    const scale = Math.fround(extreme / -8);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const kept = toHalf(scale);
    for (const [i, x] of block.entries()) {
      const q = Math.min(15, Math.trunc(Math.fround(Math.fround(x * inverse) + 8.5)));
      out[i] = (q - 8) * kept;
    }
  },
};

/** Four bits from the least to the largest value (0 among them), with a scale in fp32 and a zero point of four bits: MatMulNBits'. */
const int4 = (size: number): BlockFormat => ({
  name: `int4, blocks of ${size}`,
  size,
  bits: 4 + 36 / size,
  roundTrip(block, out) {
    const low = Math.min(0, ...block);
    const high = Math.max(0, ...block);
    const scale = Math.fround((high - low) / 15);
    const zero = scale === 0 ? 0 : Math.round(-low / scale);
    for (const [i, x] of block.entries()) {
      const q = scale === 0 ? zero : Math.max(0, Math.min(15, Math.round(x / scale) + zero));
      out[i] = (q - zero) * scale;
    }
  },
});

export const blockFormats: readonly BlockFormat[] = [q8, q4, int4(32), int4(64), int4(128)];
