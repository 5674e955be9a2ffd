import { type Compute, type Device, f32, type HostTensor } from './device.js';
import { timed } from './timed.js';

/** A small model, and what it is given. */
export interface Probe {
  readonly model: Uint8Array;
  /** Of its weights. */
  readonly folder: string;
  readonly outputs: readonly string[];
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

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
  { model, folder, outputs, inputs }: Probe,
  { signal, threads, provider, spinning }: MeasureOptions,
): Promise<number> {
  const compute = { threads, ...(provider && { provider }), ...(spinning !== undefined && { spinning }) };
  const session = await device.load(model, { ...compute, folder, prepack: true });
  try {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, { kind: 'tensor', tensor } as const]));
    const sinks = Object.fromEntries(outputs.map((name) => [name, [{ kind: 'register', name } as const]]));
    return await timed(device, { session, feeds, sinks }, signal);
  } finally {
    await device.release([session]);
  }
}
