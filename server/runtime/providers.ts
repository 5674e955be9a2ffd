import { Builder } from '../graph/builder.js';
import { type Dialect, emitOnnx, noWeights, plain } from '../graph/emit.js';
import { exact } from '../graph/exact/tensor.js';
import { interpret } from '../graph/interpreter.js';
import { LabError, type LabErrorData, toLabError } from '../protocol/errors.js';
import { type Device, f32 } from './device.js';
import type { HostTensor } from './elements.js';

/** What may be asked for: `auto` takes the first that works of `preferred`. Names are ONNX Runtime's own. */
export const providerNames = ['auto', 'cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu'] as const;
export type ProviderName = (typeof providerNames)[number];

/** TensorRT compiles a session for minutes and WebGPU may be a software renderer: both only when they are asked for by name. */
const preferred = ['cuda', 'dml', 'coreml', 'cpu'] as const;

/** How graphs are written for a provider, where it differs from the CPU's. What has no kernel at all there (Scan, If, whole numbers) ONNX Runtime runs on the CPU. */
const dialects: Readonly<Record<string, Dialect>> = {
  webgpu: { ...plain, fusedMatMul: false, exactAngles: false, loops: false, halves: false },
  coreml: { ...plain, fusedMatMul: false, loops: false },
  dml: { ...plain, fusedMatMul: false, loops: false },
  cuda: { ...plain, loops: false },
  tensorrt: { ...plain, loops: false },
};

export const dialectOf = (provider: string): Dialect => dialects[provider] ?? plain;

/** Providers with a memory of their own in which the Node binding can leave an output: state that is replaced at every call stays there. */
export const keepsState = (provider: string): boolean => provider === 'webgpu';

export interface ProviderChoice {
  readonly provider: string;
  /** Why it is not the one that was asked for. */
  readonly refused: LabErrorData | null;
}

const unusable = (wanted: string, cause: LabError) =>
  new LabError(
    {
      code: 'PROVIDER_FAILED',
      message: `Models run on the CPU, since ${wanted} cannot be used here: ${cause.message.split('\n')[0]}`,
      hint: 'Install or update its driver and libraries, or set modelLab.provider to cpu.',
    },
    { cause },
  );

/** The provider that models will run on: the one asked for when it computes what it should, else the CPU with the reason. Never throws for a provider. */
export async function chooseProvider(device: Device, wanted: ProviderName): Promise<ProviderChoice> {
  const offered = await device.providers();
  const candidates = wanted === 'auto' ? preferred.filter((name) => offered.includes(name)) : [wanted];
  let refused: LabErrorData | null = null;
  for (const provider of candidates) {
    if (provider === 'cpu') break;
    try {
      // a session that asks for one that is not there is silently given the CPU
      if (!offered.includes(provider)) throw new RangeError(`this build of ONNX Runtime has ${offered.join(', ')}`);
      await trial(device, provider);
      return { provider, refused: null };
    } catch (error) {
      if (wanted !== 'auto') refused = unusable(provider, toLabError(error)).toData();
    }
  }
  return { provider: 'cpu', refused };
}

const TOLERANCE = 1e-4;

/** Runs a small graph there and compares it with the exact interpreter: a driver that computes something else is worse than none. */
async function trial(device: Device, provider: string): Promise<void> {
  const g = new Builder('trial');
  const [x, y] = [g.input('x', 'f32', [2, 4]), g.input('y', 'f32', [3, 4])];
  g.output('z', g.softmax(g.add(g.matmul(x, y, { transB: true, alpha: 0.5 }), g.cos(g.matmul(x, g.transpose(y, 1, 0))))));
  const values = { x: ramp(8, -1.3, 0.37), y: ramp(12, 0.9, -0.21) };
  const inputs = { x: exact([2, 4], values.x), y: exact([3, 4], values.y) };
  const expected = interpret(g.graph, inputs, noWeights).get('z')?.data as Float64Array;
  const model = emitOnnx(g.graph, { place: noWeights, weights: 'map', dialect: dialectOf(provider) });
  const session = await device.load(model, { folder: '', threads: 1, prepack: false, provider });
  try {
    const feeds = {
      x: { kind: 'tensor', tensor: f32([2, 4], values.x) },
      y: { kind: 'tensor', tensor: f32([3, 4], values.y) },
    } as const;
    const { z } = await device.run([{ session, feeds, sinks: { z: [{ kind: 'return', name: 'z' }] } }]);
    const worst = Math.max(...expected.map((v, i) => Math.abs(v - Number((z as HostTensor).data[i]))));
    if (!(worst < TOLERANCE)) throw new RangeError(`its results are wrong by ${worst.toPrecision(2)}`);
  } finally {
    await device.release([session]);
  }
}

const ramp = (length: number, from: number, step: number) => Float32Array.from({ length }, (_, i) => from + step * i);
