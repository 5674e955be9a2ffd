// Harmed copies of one subject: `child.ts SUBJECT FROM TO` opens those with seeds FROM…TO−1 and prints one JSON line at the end. A process of its
// own, so that a crash, a hang and the memory are this reader's: another thread watches the seed, and names the one that takes too long.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { LabError } from '../../../server/protocol/errors.js';
import { mutate, random } from './mutate.js';
import { type Subject, subjects } from './subjects.js';

/** Processor time that one file may take, µs. */
const LONGEST = 1_000_000;
/** On the clock: a reader that waits for ever uses no processor; a busy machine must not look like one. */
const HANGS = 20_000;

const fixtures = path.resolve(import.meta.dirname, '../../fixtures');
const [number = 0, from = 0, to = 0] = process.argv.slice(2).map(Number);
const subject = subjects[number] as Subject;

const seen = new Int32Array(new SharedArrayBuffer(4));
const watchdog = new Worker(
  `const { workerData } = require('node:worker_threads');
   const { writeSync } = require('node:fs');
   let [last, since] = [-1, Date.now()];
   setInterval(() => {
     const seed = Atomics.load(workerData.seen, 0);
     if (seed !== last) [last, since] = [seed, Date.now()];
     else if (Date.now() - since > ${HANGS}) {
       writeSync(1, JSON.stringify({ seed, error: 'hangs' }) + '\\n');
       process.kill(process.pid, 'SIGKILL');
     }
   }, 500);`,
  { eval: true, workerData: { seen } },
);
watchdog.unref();

// memory instead of a disk, where there is such a folder: nothing here is to last
const memory = '/dev/shm';
const inside = mkdtempSync(path.join(existsSync(memory) ? memory : tmpdir(), 'model-lab-fuzz-'));
const original = readFileSync(path.join(fixtures, subject.file));
const top = path.dirname(subject.file);
for (const other of subject.beside ?? []) {
  const file = path.join(inside, path.relative(top, other));
  mkdirSync(path.dirname(file), { recursive: true });
  copyFileSync(path.join(fixtures, other), file);
}
const file = path.join(inside, path.basename(subject.file));

/** Fine or a LabError with a hint, soon; null when it was opened. */
async function survive(seed: number): Promise<string | null> {
  writeFileSync(file, mutate(original, subject.region(original), random(seed + 1_000_000 * number)));
  const started = process.cpuUsage();
  const code = await subject.open(file, inside).then(
    () => null,
    (error: unknown) => {
      if (!(error instanceof LabError) || error.hint === '') throw error;
      return error.code;
    },
  );
  const { user, system } = process.cpuUsage(started);
  if (user + system > LONGEST) throw new Error(`took ${user + system} µs`);
  return code;
}

let refused = 0;
let seed = from;
let error: string | null = null;
const before = process.resourceUsage().maxRSS;
try {
  for (; seed < to; seed++) {
    Atomics.store(seen, 0, seed);
    if ((await survive(seed)) !== null) refused++;
  }
} catch (thrown) {
  error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
rmSync(inside, { recursive: true, force: true });
const grown = (process.resourceUsage().maxRSS - before) * 1024;
writeSync(1, `${JSON.stringify({ seed, refused, error, grown })}\n`);
process.exit(0);
