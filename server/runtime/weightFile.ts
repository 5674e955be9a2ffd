import { rmSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Checkpoint, CheckpointFile, TensorEntry } from '../formats/checkpoint.js';
import type { Integers, Runs } from '../formats/ggmlIntegers.js';
import { withFile } from '../formats/rangedFile.js';
import { readTensor } from '../formats/read.js';
import { LabError } from '../protocol/errors.js';
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';
import { stretchesOf, type WeightPlan } from './weightPlan.js';

const ALIGN = 64;
/** Values unpacked at a time. */
const SLAB = 1 << 22;

const diskFull = (needed: number, free: number, folder: string) =>
  new LabError({
    code: 'DISK_FULL',
    message: `Putting the weights into the form they are computed in needs ${gigabytes(needed)} in ${folder}, where ${gigabytes(free)} are free.`,
    hint: 'Free some space, or set the environment variable TMPDIR to a folder on a larger disk.',
  });

/** The temporary file of tensors that cannot be used where they are. Mapped like the checkpoint itself, removed with the model. */
export interface WeightFile {
  readonly path: string;
  /** Offset of a stretch of a tensor, by `tensor` and the stretch's name. */
  offset(tensor: string, stretch: string): number;
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
  const entries = [...checkpoint.tensors.values()].filter(({ name }) => (plan.get(name)?.kind ?? 'bound') !== 'bound');
  if (entries.length === 0) return null;
  const { offsets, zeros, size } = layOut(entries, plan);
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < size) throw diskFull(size, bavail * bsize, tmpdir());
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  removeAtExit(folder);
  const file = path.join(folder, 'weights');
  const offset = (tensor: string, stretch: string) => offsets.get(`${tensor}\n${stretch}`) as number;
  try {
    const handle = await open(file, 'w', 0o600);
    try {
      await handle.truncate(size); // what is not written is zero
      for (const [index, entry] of entries.entries()) {
        const put = (stretch: string, from: number, data: Uint8Array | Float32Array) =>
          write(handle, data, offset(entry.name, stretch) + from);
        await writeTensor(checkpoint, entry, plan, put);
        onProgress?.(index + 1, entries.length);
      }
    } finally {
      await handle.close();
    }
    return { path: file, offset, zeros, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function layOut(entries: readonly TensorEntry[], plan: WeightPlan) {
  const offsets = new Map<string, number>();
  let size = 0;
  const reserve = (bytes: number): number => {
    const at = size;
    size += Math.ceil(bytes / ALIGN) * ALIGN;
    return at;
  };
  let longest = 0;
  for (const entry of entries) {
    const storage = plan.get(entry.name) ?? { kind: 'decoded' };
    for (const [stretch, bytes] of Object.entries(stretchesOf(entry, storage)))
      offsets.set(`${entry.name}\n${stretch}`, reserve(bytes));
    if (storage.kind === 'blocks') longest = Math.max(longest, zeroBytes(entry, storage.integers.run, storage.turned));
  }
  return { offsets, zeros: reserve(longest), size };
}

/** Bytes of the zero points of a plane: four bits a run, whole bytes a row. */
export function zeroBytes({ shape }: TensorEntry, run: number, turned: boolean): number {
  const K = (turned ? shape[0] : shape.at(-1)) as number;
  return (sizeOf(shape) / K) * Math.ceil(K / run / 2);
}

type Put = (stretch: string, from: number, data: Uint8Array | Float32Array) => Promise<void>;

async function writeTensor(checkpoint: Checkpoint, entry: TensorEntry, plan: WeightPlan, put: Put): Promise<void> {
  const storage = plan.get(entry.name);
  if (storage?.kind === 'blocks') return writeBlocks(checkpoint, entry, storage.integers, put);
  await put('values', 0, await readTensor(checkpoint, entry));
}

/** The file's own blocks, taken apart: row by row in canonical order, some rows at a time. */
async function writeBlocks(checkpoint: Checkpoint, entry: TensorEntry, integers: Integers, put: Put): Promise<void> {
  const stored = entry.transpose ? entry.shape.toReversed() : entry.shape;
  const K = stored.at(-1) as number;
  const N = sizeOf(stored) / K;
  const rowBytes = entry.bytes / N;
  const n = K / integers.run;
  const step = Math.max(1, Math.floor(SLAB / K));
  await withFile((checkpoint.files[entry.file] as CheckpointFile).path, async (file) => {
    for (let from = 0; from < N; from += step) {
      const rows = Math.min(step, N - from);
      const bytes = new Uint8Array(rows * rowBytes);
      if (entry.permuteRows === null) await file.readInto(bytes, entry.offset + from * rowBytes);
      else
        for (let i = 0; i < rows; i++)
          await file.readInto(
            bytes.subarray(i * rowBytes, (i + 1) * rowBytes),
            entry.offset + entry.permuteRows(from + i) * rowBytes,
          );
      const runs: Runs = {
        codes: new Uint8Array(rows * K),
        scales: new Float32Array(rows * n),
        floors: new Float32Array(integers.floors ? rows * n : 0),
      };
      integers.split(bytes, runs);
      const high = integers.bits === 8 ? halves(runs.codes, 4) : null;
      await put('plane0', (from * K) / 2, halves(runs.codes, 0));
      if (high) await put('plane1', (from * K) / 2, high);
      await put('scales', from * n * 4, runs.scales);
      if (integers.floors) await put('floors', from * n * 4, runs.floors);
    }
  });
}

/** Four bits of each code, two codes to a byte, the first in the low half. */
function halves(codes: Uint8Array, shift: 0 | 4): Uint8Array {
  const out = new Uint8Array(codes.length / 2);
  for (let i = 0; i < out.length; i++)
    out[i] = (((codes[2 * i] as number) >> shift) & 15) | ((((codes[2 * i + 1] as number) >> shift) & 15) << 4);
  return out;
}

async function write(handle: FileHandle, data: Uint8Array | Float32Array, at: number): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30), at + done);
    done += bytesWritten;
  }
}

const folders = new Set<string>();

/** A process that ends without closing its models leaves no gigabytes behind. */
function removeAtExit(folder: string): void {
  if (folders.size === 0)
    process.once('exit', () => {
      for (const left of folders) rmSync(left, { recursive: true, force: true });
    });
  folders.add(folder);
}
