import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { dtypes } from '../../server/formats/dtypes.js';
import { decodeBytes, readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readOracle } from '../fixtures/readOracle.js';
import { architecture, ggufFile, ggufTensor } from './craft.js';

const types = 'test/fixtures/oracles/gguf_types';
const decoded = [
  ...['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K'],
  ...['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'IQ3_S', 'IQ4_NL', 'IQ4_XS', 'TQ1_0', 'TQ2_0', 'MXFP4', 'NVFP4'],
];

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);
const decode = (dtype: string, bytes: ArrayBuffer, count: number) => {
  const out = new Float32Array(count);
  decodeBytes(dtype, new Uint8Array(bytes), out);
  return [...out];
};

test('GGML types decode to the bits of the reference', async () => {
  const reference = await readOracle(`${types}/oracle.safetensors`);
  const checkpoint = await openCheckpoint(`${types}/types.gguf`);
  assert.equal(checkpoint.tensors.size, 26);
  for (const dtype of decoded) {
    const entry = checkpoint.tensors.get(`t.${dtype}`);
    assert.ok(entry, dtype);
    assert.equal(entry.dtype, dtype);
    assert.deepEqual(entry.shape, reference.get(entry.name)?.shape);
    assert.deepEqual(bits(await readTensor(checkpoint, entry)), bits(reference.get(entry.name)?.data as Float32Array), dtype);
  }
});

test('rows of every GGML type are the rows of the whole', async () => {
  const checkpoint = await openCheckpoint(`${types}/types.gguf`);
  for (const dtype of decoded) {
    const entry = checkpoint.tensors.get(`t.${dtype}`);
    assert.ok(entry);
    const whole = await readTensor(checkpoint, entry);
    const width = entry.shape[1] as number;
    assert.deepEqual(await readTensor(checkpoint, entry, { from: 1, to: 3 }), whole.slice(width), dtype);
  }
});

test('types of activations are listed and refused by code', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-lab-dtypes-'));
  const path = join(folder, 'activations.gguf');
  await writeFile(
    path,
    ggufFile({
      pairs: [architecture('llama')],
      tensors: [ggufTensor('q8_1', [32], 9, 0), ggufTensor('q8_k', [256], 15, 64)],
      data: 356,
    }),
  );
  const checkpoint = await openCheckpoint(path);
  assert.deepEqual(
    [...checkpoint.tensors.values()].map(({ dtype, bytes }) => [dtype, bytes]),
    [
      ['Q8_1', 40],
      ['Q8_K', 292],
    ],
  );
  for (const entry of checkpoint.tensors.values())
    await assert.rejects(readTensor(checkpoint, entry), { code: 'DTYPE_UNDECODABLE', offset: entry.offset });
  await rm(folder, { recursive: true });
});

test('integers and fp64', () => {
  assert.deepEqual(decode('I8', Int8Array.of(-128, -1, 0, 127).buffer, 4), [-128, -1, 0, 127]);
  assert.deepEqual(decode('U8', Uint8Array.of(0, 255).buffer, 2), [0, 255]);
  assert.deepEqual(decode('BOOL', Uint8Array.of(0, 1).buffer, 2), [0, 1]);
  assert.deepEqual(decode('I16', Int16Array.of(-32768, 5).buffer, 2), [-32768, 5]);
  assert.deepEqual(decode('I32', Int32Array.of(-5, 1 << 24).buffer, 2), [-5, 1 << 24]);
  assert.deepEqual(decode('I64', BigInt64Array.of(-5n, -1n, 1n << 40n, 3n).buffer, 4), [-5, -1, 2 ** 40, 3]);
  assert.deepEqual(decode('U64', BigUint64Array.of(1n << 63n, 7n).buffer, 2), [2 ** 63, 7]);
  assert.deepEqual(decode('F64', Float64Array.of(0.1, -1e300).buffer, 2), [Math.fround(0.1), Number.NEGATIVE_INFINITY]);
});

test('half floats: normal, subnormal, infinite, NaN, signed zero', () => {
  const codes = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8000);
  const expected = [1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0];
  assert.deepEqual(decode('F16', codes.buffer, codes.length), expected);
});

test('8-bit floats at the corners of arXiv 2209.05433, table 1', () => {
  const e4m3 = Uint8Array.of(0x7e, 0x08, 0x01, 0x07, 0x7f, 0xff, 0x80, 0xfe);
  assert.deepEqual(decode('F8_E4M3', e4m3.buffer, 8), [448, 2 ** -6, 2 ** -9, 0.875 * 2 ** -6, Number.NaN, Number.NaN, -0, -448]);
  const e5m2 = Uint8Array.of(0x7b, 0x04, 0x01, 0x7c, 0xfc, 0x7d, 0x03);
  const inf = Number.POSITIVE_INFINITY;
  assert.deepEqual(decode('F8_E5M2', e5m2.buffer, 7), [57344, 2 ** -14, 2 ** -16, inf, -inf, Number.NaN, 0.75 * 2 ** -14]);
});

test('bytes need not be aligned', () => {
  const bytes = new Uint8Array(9);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
  const out = new Float32Array(2);
  decodeBytes('F32', bytes.subarray(1), out);
  assert.deepEqual([...out], [1.5, -2]);
});

test('block types of 134 million values decode in about a second', () => {
  const { elements, bytes, decode: run } = dtypes.get('Q4_1') as NonNullable<ReturnType<typeof dtypes.get>>;
  const blocks = (1 << 22) / elements;
  const [data, out] = [new Uint8Array(blocks * bytes).fill(7), new Float32Array(1 << 22)];
  const started = process.cpuUsage();
  for (let i = 0; i < 32; i++) run?.(data, out);
  // 32 × 4 M values take 0.4 s on the 2-core machine this was written on; a call or an object per value would take 5 s and more.
  assert.ok(process.cpuUsage(started).user < 4e6);
});
