import { payloads } from './onnxTensor.js';

/** Which field holds the values of a type when they are not stored as bytes (onnx.proto, TensorProto). */
const fieldOf = (dtype: string): number => {
  if (dtype === 'F32' || dtype === 'C64') return payloads.float;
  if (dtype === 'F64' || dtype === 'C128') return payloads.double;
  if (dtype === 'U32' || dtype === 'U64') return payloads.uint64;
  return dtype === 'I64' ? payloads.int64 : payloads.int32;
};

/** Bytes of one entry of the field: a number, or two and more that are narrower than a byte. */
const widths: Readonly<Record<string, number>> = { F32: 4, C64: 4, F64: 8, C128: 8, U64: 8, I64: 8, U32: 4, I32: 4 };
const widthOf = (dtype: string): number => widths[dtype] ?? (/16$/.test(dtype) ? 2 : 1);

/**
 * The values of a TensorProto that stores them one by one, as little-endian bytes: what `raw_data` would hold. Fixed-width numbers are
 * copied, varints cut to the width of the type. Null when they are not as many as `bytes` needs. The message has been walked before.
 */
export function unpackValues(message: Uint8Array, dtype: string, bytes: number): Uint8Array<ArrayBuffer> | null {
  const [wanted, width] = [fieldOf(dtype), widthOf(dtype)];
  const fixed = wanted === payloads.float || wanted === payloads.double;
  const out = new Uint8Array(bytes);
  let [at, done] = [0, 0];
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; at < message.length; shift += 7n) {
      const byte = message[at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    return value;
  };
  const take = (value: bigint): void => {
    for (let i = 0; i < width && done < bytes; i++) out[done++] = Number((value >> BigInt(8 * i)) & 255n);
  };
  let whole = true;
  while (at < message.length) {
    const tag = Number(varint());
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    const end = at + length;
    if (number !== wanted) {
      if (wire === 0) varint();
      else at = end;
    } else if (fixed) {
      const copied = Math.min(length, bytes - done);
      out.set(message.subarray(at, at + copied), done);
      whole &&= copied === length;
      done += copied;
      at = end;
    } else if (wire === 0) take(varint());
    else
      while (at < end) {
        whole &&= done < bytes;
        take(varint());
      }
  }
  return whole && done === bytes ? out : null;
}
