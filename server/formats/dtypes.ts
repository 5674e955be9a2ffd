import { halfToFloat } from '../tensor/half.js';
import type { Dtype } from './dtype.js';
import { ggmlBlocks } from './ggml.js';

type Values = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
interface ValuesConstructor<A extends Values> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
}

/** `bytes` seen as values; copied only when they do not start at a multiple of the value's size. */
function view<A extends Values>(kind: ValuesConstructor<A>, bytes: Uint8Array): A {
  const size = kind.BYTES_PER_ELEMENT;
  const from = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new kind(from.buffer, from.byteOffset, Math.floor(from.byteLength / size));
}

const plain = <A extends Values>(kind: ValuesConstructor<A>): Dtype => ({
  elements: 1,
  bytes: kind.BYTES_PER_ELEMENT,
  decode: (bytes, out) => out.set(view(kind, bytes)),
});

/** One 16-bit or 8-bit code per value, looked up in a table. */
const table = (bytesPerValue: 1 | 2, floats: () => Float32Array): Dtype => ({
  elements: 1,
  bytes: bytesPerValue,
  decode: (bytes, out) => {
    const codes = bytesPerValue === 1 ? bytes : view(Uint16Array, bytes);
    const values = floats();
    for (let i = 0; i < out.length; i++) out[i] = values[codes[i] as number] as number;
  },
});

const listed = (elements: number, bytes: number): Dtype => ({ elements, bytes, decode: null });

const bf16: Dtype = {
  elements: 1,
  bytes: 2,
  decode: (bytes, out) => {
    const codes = view(Uint16Array, bytes);
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0; i < bits.length; i++) bits[i] = (codes[i] as number) << 16;
  },
};

/** 64-bit integers as two halves: exact up to 2^53 and without a BigInt per value. */
const long = (signed: boolean): Dtype => ({
  elements: 1,
  bytes: 8,
  decode: (bytes, out) => {
    const low = view(Uint32Array, bytes);
    const high = signed ? view(Int32Array, bytes) : low;
    for (let i = 0; i < out.length; i++) out[i] = (high[2 * i + 1] as number) * 2 ** 32 + (low[2 * i] as number);
  },
});

/**
 * All 256 values of an 8-bit float. E4M3 is the "fn" variant (bias 7, no infinity, S.1111.111 is NaN), E5M2 is IEEE-like:
 * Micikevicius et al. 2022 (arXiv 2209.05433), table 1. "fnuz" has no infinity and no −0, whose code is its one NaN, and a bias one higher:
 * Noune et al. 2022 (arXiv 2206.02915).
 */
function float8(exponentBits: number, mantissaBits: number, kind: 'ieee' | 'fn' | 'fnuz'): Float32Array {
  const bias = 2 ** (exponentBits - 1) - (kind === 'fnuz' ? 0 : 1);
  const topExponent = 2 ** exponentBits - 1;
  const topMantissa = 2 ** mantissaBits - 1;
  return Float32Array.from({ length: 256 }, (_, code) => {
    const sign = code & 128 ? -1 : 1;
    const exponent = (code >> mantissaBits) & topExponent;
    const mantissa = code & topMantissa;
    if (kind === 'ieee' && exponent === topExponent) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if (kind === 'fn' && exponent === topExponent && mantissa === topMantissa) return Number.NaN;
    if (kind === 'fnuz' && code === 128) return Number.NaN;
    const fraction = mantissa / 2 ** mantissaBits;
    return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
  });
}
const e4m3 = float8(4, 3, 'fn');
const e5m2 = float8(5, 2, 'ieee');
const e4m3fnuz = float8(4, 3, 'fnuz');
const e5m2fnuz = float8(5, 2, 'fnuz');
const e8m0 = Float32Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127)));

/** Values of less than a byte, the first in the lowest bits. */
const narrow = (bits: 2 | 4, value: (code: number) => number): Dtype => {
  const each = 8 / bits;
  const values = Float32Array.from({ length: 2 ** bits }, (_, code) => value(code));
  return {
    elements: each,
    bytes: 1,
    decode: (bytes, out) => {
      for (let i = 0; i < out.length; i++)
        out[i] = values[((bytes[Math.floor(i / each)] as number) >> ((i % each) * bits)) & (2 ** bits - 1)] as number;
    },
  };
};
const twosComplement = (bits: number) => (code: number) => (code >= 2 ** (bits - 1) ? code - 2 ** bits : code);
/** OCP Microscaling Formats 1.0, section 5.3.3: 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives. */
const e2m1 = (code: number) => (code & 8 ? -1 : 1) * ([0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7] as number);

/** Every dtype by the name its format gives it: safetensors' and GGML's names agree where the types do. */
export const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['F32', plain(Float32Array)],
  ['F64', plain(Float64Array)],
  ['F16', table(2, halfToFloat)],
  ['BF16', bf16],
  ['F8_E4M3', table(1, () => e4m3)],
  ['F8_E5M2', table(1, () => e5m2)],
  ['F8_E4M3FNUZ', table(1, () => e4m3fnuz)],
  ['F8_E5M2FNUZ', table(1, () => e5m2fnuz)],
  ['F8_E8M0', table(1, () => e8m0)],
  ['I8', plain(Int8Array)],
  ['U8', plain(Uint8Array)],
  ['BOOL', plain(Uint8Array)],
  ['I16', plain(Int16Array)],
  ['U16', plain(Uint16Array)],
  ['I32', plain(Int32Array)],
  ['U32', plain(Uint32Array)],
  ['I64', long(true)],
  ['U64', long(false)],
  ['C64', listed(1, 8)],
  ['C128', listed(1, 16)],
  ['STRING', listed(1, 0)],
  ['U2', narrow(2, Number)],
  ['I2', narrow(2, twosComplement(2))],
  ['U4', narrow(4, Number)],
  ['I4', narrow(4, twosComplement(4))],
  ['F4', narrow(4, e2m1)],
  ['F6_E2M3', listed(4, 3)],
  ['F6_E3M2', listed(4, 3)],
  ...ggmlBlocks,
]);
