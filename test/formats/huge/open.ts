// Opens a checkpoint in a process of its own and prints what that took, as one JSON line: `open.ts PATH`, under --expose-gc.
import { readFileSync } from 'node:fs';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { summarise } from '../../../server/summary.js';

/** Bytes this process has asked files for; null where the system does not say. */
function bytesRead(): number | null {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return null;
  }
}

const collect = () => (globalThis as { gc?: () => void }).gc?.();
const resident = () => {
  collect();
  return process.memoryUsage.rss();
};

const file = process.argv[2] as string;
// what the code itself needs is loaded by the first opening, of a file that is not there
await openCheckpoint(`${file}.absent`).catch(() => undefined);
const [memory, read, started] = [resident(), bytesRead(), performance.now()];
const checkpoint = await openCheckpoint(file);
const opened = performance.now() - started;
const summary = await summarise(checkpoint);
const summarised = performance.now() - started;
const readNow = bytesRead();
console.log(
  JSON.stringify({
    opened,
    summarised,
    memory: resident() - memory,
    read: read === null || readNow === null ? null : readNow - read,
    bytes: summary.bytes,
    tensors: summary.tensors.length,
    architecture: summary.architecture,
    parameters: summary.parameters,
  }),
);
