import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { subjects } from './fuzz/subjects.js';

/** Harmed copies of each format: 100,000 in CI, few enough for every change elsewhere; FUZZ_ROUNDS says another number. */
const perFormat = Number(process.env.FUZZ_ROUNDS ?? (process.env.CI === 'true' ? 100_000 : 1000));
/** Copies of one process: it starts with an empty heap, so that its memory is theirs. */
const BATCH = 25_000;
const LARGEST = 256 << 20;

/** By subject (its file and number): seeds that once failed. They come first. */
const kept: Readonly<Record<string, readonly number[]>> = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'fuzz/seeds.json'), 'utf8'),
);

interface Outcome {
  readonly seed: number;
  readonly refused: number;
  readonly error: string | null;
  /** Bytes that the process grew by at most. */
  readonly grown: number;
}

function run(subject: number, from: number, to: number): Promise<Outcome> {
  const script = path.join(import.meta.dirname, 'fuzz/child.ts');
  const child = spawn(
    process.execPath,
    ['--max-old-space-size=256', '--import', 'tsx', script, String(subject), String(from), String(to)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const line = out.trim().split('\n').at(-1) ?? '';
      if (line.startsWith('{')) resolve({ refused: 0, grown: 0, ...JSON.parse(line) });
      else reject(new Error(`seeds ${from}…${to - 1}: ended with ${signal ?? code}\n${err.slice(-2000)}`));
    });
  });
}

function check({ seed, error, grown }: Outcome, subject: number): void {
  assert.equal(error, null, `seed ${seed}: node --import tsx test/formats/fuzz/child.ts ${subject} ${seed} ${seed + 1}`);
  assert.ok(grown < LARGEST, `the process grew by ${grown} bytes`);
}

/** Twice as many processes as cores: half of the time each waits for its file. */
const concurrency = Math.min(8, 2 * cpus().length);

describe('harmed files are opened or refused, never worse', { concurrency }, () => {
  for (const [number, { format, file, share = 1 }] of subjects.entries()) {
    const rounds = Math.ceil((share * perFormat) / subjects.filter((other) => other.format === format).length);
    test(`${rounds} harmed copies of ${file} (${number})`, { timeout: 3_000_000 }, async () => {
      for (const seed of kept[`${file} (${number})`] ?? []) check(await run(number, seed, seed + 1), number);
      let refused = 0;
      for (let from = 0; from < rounds; from += BATCH) {
        const outcome = await run(number, from, Math.min(rounds, from + BATCH));
        check(outcome, number);
        refused += outcome.refused;
      }
      // A fuzzer whose harm is never noticed tests nothing.
      assert.ok(refused > rounds / 4, `${refused} of ${rounds} refused`);
    });
  }
});
