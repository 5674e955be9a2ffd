import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import test, { after, before } from 'node:test';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { LabError } from '../../server/protocol/errors.js';
import { sizeOf } from '../../server/tensor/tensor.js';

/** Harmed copies of each format. */
const perFormat = Number(process.env.FUZZ_ROUNDS ?? 2000);
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

const subjects: readonly (readonly [file: string, region: (data: Buffer) => readonly [number, number]])[] = [
  ['llama/model.safetensors', (data) => [0, 8 + Number(data.readBigUInt64LE(0))]],
  ['gguf_llama_q4_0/model.gguf', () => [0, 4100]],
  ['rwkv_pth_v7/model.pth', () => [0, 6700]],
  ['rwkv_pth_v7/model.pth', (data) => [data.length - 6200, data.length]],
  ['llama/config.json', (data) => [0, data.length]],
];

for (const [number, [file, region]] of subjects.entries()) {
  const rounds = perFormat / subjects.filter(([other]) => other === file).length;
  test(`${rounds} harmed copies of ${file} (${number}): opened or refused, never worse`, async () => {
    const original = await readFile(join(oracles, file));
    const isConfig = file.endsWith('config.json');
    const path = join(folder, isConfig ? 'config.json' : `subject${number}${extname(file)}`);
    if (isConfig) await writeFile(join(folder, 'model.safetensors'), await readFile(join(oracles, 'llama/model.safetensors')));
    let refused = 0;
    for (let seed = 0; seed < rounds; seed++) {
      await writeFile(path, mutate(original, region(original), random(seed + 1_000_000 * number)));
      if (!(await survive(isConfig ? folder : path, `seed ${seed}`))) refused++;
    }
    await rm(path);
    // A fuzzer whose harm is never noticed tests nothing.
    assert.ok(refused > rounds / 4, `${refused} of ${rounds} refused`);
  });
}
