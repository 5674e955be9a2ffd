import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openCheckpoint } from '../../../server/formats/registry.js';
import { Model, type ModelOptions } from '../../../server/runtime/model.js';
import { Run } from '../../../server/runtime/run.js';
import { LocalDevice } from '../../../server/runtime/sessions.js';
import { interleave, type Sample, timed, type Variants } from './measure.js';
import { type Library, Peer, type PeerSample } from './peer.js';
import { type Profiled, profile } from './profile.js';
import { type Line, report } from './report.js';
import { randomModel, type Tensors } from './shapes.js';
import { yardsticks } from './yardstick.js';

/** At least five, as ratios are taken from the median round. */
const REPEATS = Math.max(5, Number(process.env.BENCH_REPEATS ?? 7));

export const threads = Number(process.env.BENCH_THREADS ?? availableParallelism());

/** One model, opened here and by peers. */
export class Bench {
  readonly notes: string[] = [];
  readonly #device = new LocalDevice();
  readonly #peers: Peer[] = [];

  private constructor(
    readonly path: string,
    readonly vocab: number,
    private readonly yardsticks: Variants,
  ) {}

  /** Opens the shape with random weights, does the work and cleans up. */
  static async on(
    config: { readonly vocab_size: number },
    tensors: Tensors,
    work: (bench: Bench) => Promise<void>,
  ): Promise<void> {
    const folder = await randomModel(config, tensors);
    try {
      await Bench.at(folder, config.vocab_size, work);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** The same with a model that exists. */
  static async at(path: string, vocab: number, work: (bench: Bench) => Promise<void>): Promise<void> {
    const device = new LocalDevice();
    const bench = new Bench(path, vocab, await yardsticks(device, threads));
    try {
      await work(bench);
    } finally {
      for (const peer of bench.#peers) peer.close();
      await bench.#device.close();
      await device.close();
    }
  }

  /** Of the file that peers open, or of another with the same weights. */
  async model(options: Partial<ModelOptions> = {}, file = this.path): Promise<Model> {
    return Model.open(await openCheckpoint(file), { device: this.#device, threads, ...options });
  }

  /** null when it is not installed or cannot load the model, which is noted. `options` are the library's own, `variables` those of its environment. */
  async peer(library: Library, options: object = {}, variables: Readonly<Record<string, string>> = {}): Promise<Peer | null> {
    const peer = await Peer.start(library, this.path, threads, options, variables);
    if (typeof peer === 'string') {
      this.notes.push(`Not compared: ${peer}.`);
      return null;
    }
    this.#peers.push(peer);
    return peer;
  }

  ids(count: number): number[] {
    return Array.from({ length: count }, (_, i) => (i * 7919 + 11) % this.vocab);
  }

  async measure(line: Omit<Line, 'threads' | 'measured' | 'yardsticks' | 'versions'>, variants: Variants): Promise<void> {
    const taken = await interleave(REPEATS, variants, this.yardsticks);
    const versions = Object.assign({}, ...this.#peers.map((peer) => peer.versions));
    await report({ ...line, ...taken, threads, versions, notes: [...this.notes, ...(line.notes ?? [])] });
  }

  /** With `--profile`: what the operators of this engine took in such work, on a model of its own. */
  async profile(profiled: Profiled, options: Partial<ModelOptions> = {}, file = this.path): Promise<void> {
    if (process.env.BENCH_PROFILE) await profile((on) => this.model({ ...options, ...on }, file), profiled);
  }
}

/** Prefill in a new run; with `logits`, those of the last token as well. */
export const prefill =
  (model: Model, ids: readonly number[], logits = false, parts = 1) =>
  async (): Promise<Sample> => {
    const run = await Run.create(model);
    const sample = await timed(async () => {
      await run.prefill(ids);
      if (logits) await run.logits({ from: ids.length - 1, to: ids.length });
    }, parts);
    await run.close();
    return sample;
  };

/** Throws unless peer and engine did the same work: compares the first logits of the last token, and says by how much they differ. */
export function agreement(peer: Peer, theirs: PeerSample, ours: Float32Array, tolerance = 1e-3): string {
  const worst = Math.max(...theirs.logits.map((logit, i) => Math.abs(logit - (ours[i] as number))));
  if (!(worst < tolerance)) throw new Error(`${peer.library} computes something else: its logits differ by ${worst}`);
  return `Logits of the last token differ from those of ${peer.library} by at most ${worst.toExponential(0)}.`;
}

/** Logits of the last token of a prompt. */
export async function lastLogits(model: Model, ids: readonly number[]): Promise<Float32Array> {
  const run = await Run.create(model);
  await run.prefill(ids);
  const logits = await run.logits({ from: ids.length - 1, to: ids.length });
  await run.close();
  return logits;
}
