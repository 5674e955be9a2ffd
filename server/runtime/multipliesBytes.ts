import { largestBytes } from '../graph/largestBytes.js';
import type { RunDtype } from '../protocol/models.js';
import { once } from '../protocol/once.js';
import { type Device, f32, type HostTensor } from './device.js';

const SIZES = { M: 8, K: 64, N: 16 };

/** Whether a model computed like this reads many tokens by products of bytes. */
export const readsInBytes = async (device: Device, dtype: RunDtype | undefined, provider = 'cpu'): Promise<boolean> =>
  dtype === 'int4' && provider === 'cpu' && (await multipliesBytes(device));

const known = new WeakMap<Device, () => Promise<boolean>>();

/**
 * Whether products of unsigned and signed bytes are exact on this processor. Without VNNI or AMX the CPU kernels of ONNX Runtime add pairs of them up in
 * 16 bits, which 2 · 255 · 127 does not fit into. Found out once by multiplying the largest numbers.
 */
export function multipliesBytes(device: Device): Promise<boolean> {
  const found = known.get(device) ?? once(() => measure(device));
  known.set(device, found);
  return found();
}

async function measure(device: Device): Promise<boolean> {
  const session = await device.load(largestBytes(SIZES), { folder: '', threads: 1, prepack: true });
  const { M, K } = SIZES;
  // the range 0…255 of a row is what makes the scale 1
  const x = new Float32Array(M * K).fill(255).map((value, i) => (i % K === 0 ? 0 : value));
  const feeds = { x: { kind: 'tensor', tensor: f32([M, K], x) } } as const;
  const { y } = await device.run([{ session, feeds, sinks: { y: [{ kind: 'return', name: 'y' }] } }]);
  await device.release([session]);
  return ((y as HostTensor).data as Float32Array).every((value) => Math.abs(value / (255 * 127 * (K - 1)) - 1) < 1e-6);
}
