import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { Divergence } from '../protocol/runs.js';
import { argmax } from './sampler.js';
import type { PrefillOptions, Sequence } from './sequence.js';
import { type TemporaryFolder, temporaryFolder } from './temporaryFolder.js';

/** With the KL divergence after each token: [T], nats. */
export interface MeasuredDivergence extends Divergence {
  readonly perToken: Float32Array;
}

const FLOAT = 4;
/** Rows of logits compared at a time. */
const ROWS = 64;

/**
 * What one model says of some tokens, kept in a temporary file, so that the same tokens can be run by the same weights in another form
 * and compared without both in memory.
 */
export class ReferenceLogits {
  private constructor(
    private readonly folder: TemporaryFolder,
    private readonly file: FileHandle,
    private readonly vocab: number,
    readonly tokens: number,
  ) {}

  /** Logits of the first `tokens` of a run (default: all). */
  static async of(run: Sequence, tokens = run.ids.length, signal?: AbortSignal): Promise<ReferenceLogits> {
    const folder = await temporaryFolder();
    const file = await open(path.join(folder.path, 'logits'), 'w+', 0o600);
    const reference = new ReferenceLogits(folder, file, run.vocab, tokens);
    try {
      const writes: Promise<unknown>[] = [];
      await run.eachLogits(
        { from: 0, to: tokens },
        (t, row) => void writes.push(file.write(new Uint8Array(row.slice().buffer), 0, row.byteLength, t * row.byteLength)),
        signal,
      );
      await Promise.all(writes);
      return reference;
    } catch (error) {
      await reference.remove();
      throw error;
    }
  }

  /** KL(reference ‖ run) after each token, from the logits of both. */
  async divergence(run: Sequence, { signal, onProgress }: PrefillOptions = {}): Promise<MeasuredDivergence> {
    const { tokens, vocab } = this;
    const perToken = new Float32Array(tokens);
    let agreed = 0;
    for (let from = 0; from < tokens; from += ROWS) {
      const to = Math.min(tokens, from + ROWS);
      const reference = new Float32Array((to - from) * vocab);
      await this.file.read(new Uint8Array(reference.buffer), 0, reference.byteLength, from * vocab * FLOAT);
      const compare = (t: number, actual: Float32Array) => {
        const expected = reference.subarray((t - from) * vocab, (t - from + 1) * vocab);
        perToken[t] = klDivergence(expected, actual);
        if (argmax(expected) === argmax(actual)) agreed++;
      };
      await run.eachLogits({ from, to }, compare, signal);
      onProgress?.(to, tokens);
    }
    let at = 0;
    for (let t = 1; t < tokens; t++) if ((perToken[t] as number) > (perToken[at] as number)) at = t;
    const mean = perToken.reduce((sum, kl) => sum + kl, 0) / tokens;
    return { perToken, tokens, mean, largest: perToken[at] as number, at, agreement: agreed / tokens };
  }

  async remove(): Promise<void> {
    await this.file.close();
    await this.folder.remove();
  }
}

/** Σ p (log p − log q) in nats, in double precision, from logits of the same length. */
export function klDivergence(p: Float32Array, q: Float32Array): number {
  const [P, Q] = [logSumExp(p), logSumExp(q)];
  let kl = 0;
  for (let i = 0; i < p.length; i++) {
    const log = (p[i] as number) - P;
    kl += Math.exp(log) * (log - ((q[i] as number) - Q));
  }
  return Math.max(0, kl); // rounding may leave −1e-17
}

function logSumExp(logits: Float32Array): number {
  const top = logits[argmax(logits)] as number;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] as number) - top);
  return top + Math.log(sum);
}

export const spokenDivergence = ({ mean, largest, at, agreement, tokens }: Divergence): string =>
  `KL to fp32: ${mean.toPrecision(3)} nats a token over ${tokens} tokens, largest ${largest.toPrecision(3)} after token ${at}; ` +
  `the most likely token is the same after ${(100 * agreement).toFixed(1)} %.`;
