import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import test, { after, before } from 'node:test';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { LabError } from '../../server/protocol/errors.js';
import { sizeOf } from '../../server/tensor/tensor.js';

/** Harmed copies of each format: few enough for every change; FUZZ_ROUNDS=100000 before a release (CONTRIBUTING.md). */
const perFormat = Number(process.env.FUZZ_ROUNDS ?? 1000);
const oracles = 'test/fixtures/oracles';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-lab-fuzz-'));
});
after(() => rm(folder, { recursive: true }));

/** mulberry32: seeded, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const extremes = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 40n,
  (1n << 53n) - 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** One to three small harms; most of them where the headers are: within `region`. */
function mutate(original: Buffer, [from, to]: readonly [number, number], below: (n: number) => number): Buffer {
  let data: Buffer = Buffer.from(original);
  for (let harms = 1 + below(3); harms > 0; harms--) {
    const at = Math.min(data.length - 9, from + below(to - from));
    const kind = below(7);
    if (kind === 0) data[at] = below(256);
    else if (kind === 1) data[at] = (data[at] as number) ^ (1 << below(8));
    else if (kind === 2) data.writeBigUInt64LE(extremes[below(extremes.length)] as bigint, at);
    else if (kind === 3) data.writeUInt32LE(Number((extremes[below(8)] as bigint) & 0xffffffffn), at);
    else if (kind === 4) data = data.subarray(0, at + 1 + below(8));
    else if (kind === 5) data = Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + below(16))]);
    else data = Buffer.concat([data.subarray(0, at), data.subarray(at, at + 1 + below(64)), data.subarray(at)]);
    if (data.length < 16) return data;
  }
  return data;
}

/** Opens a harmed file, reads from it when it opens: fine or a LabError, soon. */
async function survive(path: string, note: string): Promise<boolean> {
  const started = process.cpuUsage();
  try {
    const checkpoint = await openCheckpoint(path);
    for (const entry of [...checkpoint.tensors.values()].slice(0, 3))
      if (sizeOf(entry.shape) < 1 << 20) assert.equal((await readTensor(checkpoint, entry)).length, sizeOf(entry.shape));
    return true;
  } catch (error) {
    if (!(error instanceof LabError) || error.hint === '') throw new Error(`${note}: ${(error as Error).stack}`);
    return false;
  } finally {
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < 1e6, `${note} took ${user + system} µs`);
  }
}

interface Subject {
  readonly file: string;
  readonly region: (data: Buffer) => readonly [number, number];
  /** Whole files that lie beside it. */
  readonly beside?: readonly string[];
}
const parts = [1, 2, 3].map((place) => `../formats/llama_parts-0000${place}-of-00003.gguf`);

const subjects: readonly Subject[] = [
  { file: 'llama/model.safetensors', region: (data) => [0, 8 + Number(data.readBigUInt64LE(0))] },
  { file: 'gguf_llama_q4_0/model.gguf', region: () => [0, 4100] },
  { file: parts[0] as string, region: () => [0, 1500], beside: parts.slice(1) },
  { file: parts[1] as string, region: () => [0, 700], beside: [parts[0] as string, parts[2] as string] },
  { file: 'rwkv_pth_v7/model.pth', region: () => [0, 6700] },
  { file: 'rwkv_pth_v7/model.pth', region: (data) => [data.length - 6200, data.length] },
  { file: '../onnx/types.onnx', region: (data) => [0, data.length] },
  {
    file: '../onnx/external/model.onnx',
    region: (data) => [0, data.length],
    beside: ['../onnx/external/weights.bin', '../onnx/external/more/weights.bin'],
  },
  { file: '../formats/legacy.bin', region: () => [0, 570] },
  { file: 'llama/config.json', region: (data) => [0, data.length], beside: ['llama/model.safetensors'] },
];

for (const [number, { file, region, beside = [] }] of subjects.entries()) {
  const rounds = Math.ceil(perFormat / subjects.filter(({ file: other }) => extname(other) === extname(file)).length);
  test(`${rounds} harmed copies of ${file} (${number}): opened or refused, never worse`, async () => {
    const original = await readFile(join(oracles, file));
    const inside = join(folder, String(number));
    await mkdir(inside);
    for (const other of beside) await copyFile(join(oracles, other), join(inside, basename(other)));
    const path = join(inside, basename(file));
    let refused = 0;
    for (let seed = 0; seed < rounds; seed++) {
      await writeFile(path, mutate(original, region(original), random(seed + 1_000_000 * number)));
      if (!(await survive(extname(file) === '.json' ? inside : path, `seed ${seed}`))) refused++;
    }
    // A fuzzer whose harm is never noticed tests nothing.
    assert.ok(refused > rounds / 4, `${refused} of ${rounds} refused`);
  });
}
