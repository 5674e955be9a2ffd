import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import { withFile } from '../formats/rangedFile.js';
import { floatToHalf } from '../tensor/half.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Put } from './weightFile.js';
import type { Halves } from './weightPlan.js';

/** Values taken at a time. */
const SLAB = 1 << 22;
/** Values below 2¹⁵ are far from the largest half. */
const LARGEST = 14;

/**
 * A matrix in half precision as F16 in rows [N, K]. BF16 is taken times a power of two that brings its largest value to 2¹⁴…2¹⁵, so that all values down to
 * 2⁻³¹ of it are the same to the last bit and smaller ones are off by 2⁻⁴⁰ of it at most. Returns what products are to be multiplied by.
 */
export async function writeHalves(checkpoint: Checkpoint, entry: TensorEntry, { turned }: Halves, put: Put): Promise<number> {
  const { path } = checkpoint.files[entry.file] as CheckpointFile;
  const count = sizeOf(entry.shape);
  const read = async (from: number, to: number): Promise<Uint16Array> => {
    const codes = new Uint16Array(to - from);
    await withFile(path, (file) => file.readInto(new Uint8Array(codes.buffer), entry.offset + 2 * from));
    return codes;
  };
  const slab = turned ? count : SLAB;
  let most = 0;
  if (entry.dtype === 'BF16')
    for (let from = 0; from < count; from += slab) most = Math.max(most, largest(await read(from, Math.min(count, from + slab))));
  // the exponent of BF16 is that of fp32
  const shift = most === 0 ? 0 : Math.min(100, LARGEST - ((most >> 7) - 127));
  const table = entry.dtype === 'BF16' ? brainToHalf(shift) : null;
  for (let from = 0; from < count; from += slab) {
    const codes = await read(from, Math.min(count, from + slab));
    if (table) for (let i = 0; i < codes.length; i++) codes[i] = table[codes[i] as number] as number;
    await put('values', 2 * from, turned ? turnedRows(codes, entry.shape as [number, number]) : codes);
  }
  return 2 ** -shift;
}

/** The largest finite code without its sign. */
function largest(codes: Uint16Array): number {
  let most = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = (codes[i] as number) & 0x7fff;
    if (code > most && code < 0x7f80) most = code;
  }
  return most;
}

/** The half of each BF16 code times 2^shift. */
function brainToHalf(shift: number): Uint16Array {
  const bits = Uint32Array.from({ length: 65536 }, (_, code) => code << 16);
  return Uint16Array.from(new Float32Array(bits.buffer), (value) => floatToHalf(value * 2 ** shift));
}

/** [K, N] as [N, K]. */
function turnedRows(codes: Uint16Array, [K, N]: readonly [number, number]): Uint16Array {
  const rows = new Uint16Array(codes.length);
  for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) rows[n * K + k] = codes[k * N + n] as number;
  return rows;
}
