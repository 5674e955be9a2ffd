import { type FileHandle, open, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Checkpoint, TensorEntry } from '../formats/checkpoint.js';
import { readTensor } from '../formats/read.js';
import { zeroBytes } from '../graph/weightPlace.js';
import { LabError } from '../protocol/errors.js';
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';
import { temporaryFolder } from './temporaryFolder.js';
import { writeHalves } from './weightHalves.js';
import {
  type Blocks,
  type Halves,
  lengthOf,
  runsOf,
  type Storage,
  storagesOf,
  stretchesOf,
  type WeightPlan,
} from './weightPlan.js';
import { ownRuns, roundedRuns, rowBytes } from './weightRuns.js';

const ALIGN = 64;

const diskFull = (needed: number, free: number, folder: string) =>
  new LabError({
    code: 'DISK_FULL',
    message: `Putting the weights into the form they are computed in needs ${gigabytes(needed)} in ${folder}, where ${gigabytes(free)} are free.`,
    hint: 'Free some space, or set the environment variable TMPDIR to a folder on a larger disk.',
  });

/** The temporary file of tensors that cannot be used where they are. Mapped like the checkpoint itself, removed with the model. */
export interface WeightFile {
  readonly path: string;
  /** Offset of a stretch, by its name, of one form of a tensor. */
  offset(storage: Storage, tensor: string, stretch: string): number;
  /** What the values of a tensor in half precision are to be multiplied by. */
  factor(storage: Halves): number;
  /** A stretch of zero bytes as long as the longest that is needed. */
  readonly zeros: number;
  remove(): Promise<void>;
}

/** null when every tensor stays where it is. Errors: DISK_FULL, those of reading. */
export async function writeWeights(
  checkpoint: Checkpoint,
  plan: WeightPlan,
  onProgress?: (done: number, total: number) => void,
): Promise<WeightFile | null> {
  const parts = [...plan].flatMap(([name, planned]) => {
    const entry = checkpoint.tensors.get(name) as TensorEntry;
    return [...storagesOf(planned)].flatMap((storage) => (isPlaced(storage) ? [] : [{ entry, storage }]));
  });
  if (parts.length === 0) return null;
  const { offsets, zeros, size } = layOut(parts);
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < size) throw diskFull(size, bavail * bsize, tmpdir());
  const { path: folder, remove } = await temporaryFolder();
  const file = path.join(folder, 'weights');
  const offset = (storage: Storage, tensor: string, stretch: string) =>
    offsets.get(storage)?.get(`${tensor} ${stretch}`) as number;
  const factors = new Map<Halves, number>();
  try {
    const handle = await open(file, 'w', 0o600);
    try {
      await handle.truncate(size); // what is not written is zero
      for (const [index, { entry, storage }] of parts.entries()) {
        const put: Put = (stretch, from, data) => write(handle, data, offset(storage, entry.name, stretch) + from);
        if (storage.kind === 'blocks') await writeBlocks(checkpoint, entry, storage, put);
        else if (storage.kind === 'bytes') await writeBytes(checkpoint, entry, storage.of, put);
        else if (storage.kind === 'halves') factors.set(storage, await writeHalves(checkpoint, entry, storage, put));
        else await put('values', 0, await readTensor(checkpoint, entry));
        onProgress?.(index + 1, parts.length);
      }
    } finally {
      await handle.close();
    }
    return { path: file, offset, factor: (storage) => factors.get(storage) as number, zeros, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Part {
  readonly entry: TensorEntry;
  readonly storage: Storage;
}

/** In the checkpoint's own file. */
const isPlaced = (storage: Storage): boolean => storage.kind === 'bound' || (storage.kind === 'halves' && storage.inPlace);

function layOut(parts: readonly Part[]) {
  const offsets = new Map<Storage, Map<string, number>>();
  let size = 0;
  const reserve = (bytes: number): number => {
    const at = size;
    size += Math.ceil(bytes / ALIGN) * ALIGN;
    return at;
  };
  let longest = 0;
  for (const { entry, storage } of parts) {
    const own = offsets.get(storage) ?? new Map();
    offsets.set(storage, own);
    for (const [stretch, bytes] of Object.entries(stretchesOf(entry, storage)))
      own.set(`${entry.name} ${stretch}`, reserve(bytes));
    if (storage.kind === 'blocks') longest = Math.max(longest, noZeroBytes(entry, storage));
  }
  return { offsets, zeros: reserve(longest), size };
}

/** Bytes of zero points for a plane of four bits that are all 0. */
export const noZeroBytes = ({ shape }: TensorEntry, blocks: Blocks): number =>
  (sizeOf(shape) / lengthOf(shape, blocks)) * zeroBytes(runsOf(shape, blocks), 4);

export type Put = (stretch: string, from: number, data: Uint8Array | Uint16Array | Float32Array) => Promise<void>;

/** Codes, scales and floors of [N, K], some rows at a time, in canonical order. */
async function writeBlocks(checkpoint: Checkpoint, entry: TensorEntry, storage: Blocks, put: Put): Promise<void> {
  const { bits, run, floors, zeros, rounded } = storage;
  const n = runsOf(entry.shape, storage);
  const row = n * run;
  for await (const { from, runs } of rowRuns(checkpoint, entry, storage)) {
    if (bits === 8 && rounded) await put('plane0', from * row, runs.codes);
    else {
      await put('plane0', (from * row) / 2, halves(runs.codes, 0));
      if (bits === 8) await put('plane1', (from * row) / 2, halves(runs.codes, 4));
    }
    if (zeros) await put('zeros', from * zeroBytes(n, bits), bits === 8 ? runs.zeros : packed(runs.zeros, n));
    await put('scales', from * n * 4, runs.scales);
    if (floors) await put('floors', from * n * 4, runs.floors);
  }
}

const rowRuns = (checkpoint: Checkpoint, entry: TensorEntry, storage: Blocks) => {
  const K = lengthOf(entry.shape, storage);
  return storage.integers ? ownRuns(checkpoint, entry, storage.integers, K) : roundedRuns(checkpoint, entry, storage, K);
};

/** The values of blocks, rounded to −127…127 with a scale for each row [K]. */
async function writeBytes(checkpoint: Checkpoint, entry: TensorEntry, storage: Blocks, put: Put): Promise<void> {
  const K = lengthOf(entry.shape, storage);
  for await (const { from, runs } of rowRuns(checkpoint, entry, storage)) {
    const { codes, scales } = rowBytes(runs, storage, K);
    await put('codes', from * K, new Uint8Array(codes.buffer));
    await put('rowScales', from * 4, scales);
  }
}

/** Four bits of each code, two codes to a byte, the first in the low half. */
function halves(codes: Uint8Array, shift: 0 | 4): Uint8Array {
  const out = new Uint8Array(codes.length / 2);
  for (let i = 0; i < out.length; i++)
    out[i] = (((codes[2 * i] as number) >> shift) & 15) | ((((codes[2 * i + 1] as number) >> shift) & 15) << 4);
  return out;
}

/** Four bits of each zero point, n to a row, which ends with a whole byte. */
function packed(zeros: Uint8Array, n: number): Uint8Array {
  if (n % 2 === 0) return halves(zeros, 0);
  const even = new Uint8Array((zeros.length / n) * (n + 1));
  for (let row = 0; row * n < zeros.length; row++) even.set(zeros.subarray(row * n, (row + 1) * n), row * (n + 1));
  return halves(even, 0);
}

async function write(handle: FileHandle, data: Uint8Array | Uint16Array | Float32Array, at: number): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30), at + done);
    done += bytesWritten;
  }
}
