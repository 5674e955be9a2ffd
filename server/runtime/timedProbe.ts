import type { Compute, Device, HostTensor, Program } from './device.js';
import { f32 } from './device.js';

/** A small model, and how many times it is run without a look at the clock. */
export interface Probe {
  readonly model: Uint8Array;
  /** Of its weights. */
  readonly folder: string;
  readonly outputs: readonly string[];
  readonly inputs: Readonly<Record<string, HostTensor>>;
  readonly runs: number;
}

/** How often that is repeated; the best counts: nothing else is what the machine can do. */
const ROUNDS = 7;
/** Rows of a prompt's chunk against a weight that fits the caches. */
export const [ROWS, SQUARE] = [256, 1024];

export interface MeasureOptions extends Compute {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export const ones = (...dims: number[]): HostTensor => f32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)).fill(1));

/** Seconds of one run at best. */
export async function fastest(
  device: Device,
  { model, folder, outputs, inputs, runs }: Probe,
  { signal, threads, provider, spinning }: MeasureOptions,
): Promise<number> {
  const compute = { threads, ...(provider && { provider }), ...(spinning !== undefined && { spinning }) };
  const session = await device.load(model, { ...compute, folder, prepack: true });
  try {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, { kind: 'tensor', tensor } as const]));
    const sinks = Object.fromEntries(outputs.map((name) => [name, [{ kind: 'register', name } as const]]));
    const program: Program = new Array(runs).fill({ session, feeds, sinks });
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round <= ROUNDS; round++) {
      const started = performance.now();
      await device.run(program, signal ? { signal } : {});
      // the first warms up
      if (round > 0) best = Math.min(best, (performance.now() - started) / 1000 / runs);
    }
    return best;
  } finally {
    await device.release([session]);
  }
}
