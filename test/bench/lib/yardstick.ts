import { Builder } from '../../../server/graph/builder.js';
import { emitOnnx, noWeights } from '../../../server/graph/emit.js';
import { type Device, f32, type HostTensor, type Program } from '../../../server/runtime/device.js';
import { type Measured, type Sample, timed, type Variants } from './measure.js';

/** Rows and columns of a product of matrices: 17 GFLOP. */
const SQUARE = 2048;
/** Numbers of a vector, 128 MB: beyond the caches of a core. */
const LONG = 32 << 20;

const PRODUCT = `fp32 product of two ${SQUARE} × ${SQUARE} matrices`;
const ADDITION = `a = b + c of ${LONG >> 20} M numbers in fp32 (STREAM's add)`;

/** Milliseconds; clock and processor time, of all threads. */
type Times = Pick<Sample, 'wall' | 'cpu'>;

/** What the machine does at best, a millisecond: by the clock, and by a millisecond of processor time of one thread. */
export interface Peaks {
  readonly flops: Times;
  readonly bytes: Times;
}

/**
 * Two kernels at which a processor and its memory are at their best, with the same threads. They take turns with what is measured, so that they
 * see the same machine.
 */
export async function yardsticks(device: Device, threads: number): Promise<Variants> {
  const product = new Builder('product');
  const rows = product.input('x', 'f32', [SQUARE, SQUARE]);
  // folded and packed when the session begins, as weights are
  const weight = product.op('Expand', [product.constant(0.01), product.ints(SQUARE, SQUARE)], [SQUARE, SQUARE]);
  product.output('y', product.matmul(rows, weight));
  const addition = new Builder('addition');
  const sum = addition.add(addition.input('x', 'f32', [LONG]), addition.input('z', 'f32', [LONG]));
  // one number leaves: the sum itself would be copied
  addition.output('y', addition.op('Gather', [sum, addition.ints(0)], [1]));
  const load = (builder: Builder) =>
    device.load(emitOnnx(builder.graph, { place: noWeights, weights: 'prepack' }), { threads, folder: '/', prepack: true });
  const [multiply, add] = [await load(product), await load(addition)];
  const [square, long] = [ones(SQUARE, SQUARE), ones(LONG)];
  return {
    [PRODUCT]: () => timed(() => device.run(stepOf(multiply, { x: square }))),
    [ADDITION]: () => timed(() => device.run(stepOf(add, { x: long, z: long }))),
  };
}

/** From the best round: all else is disturbance. */
export function peaksOf(yardsticks: readonly Measured[], threads: number): Peaks {
  const best = (name: string, work: number): Times => {
    const { wall, cpu } = yardsticks.find((variant) => variant.name === name) as Measured;
    return { wall: work / wall.min, cpu: (work * threads) / cpu.min };
  };
  return { flops: best(PRODUCT, 2 * SQUARE ** 3), bytes: best(ADDITION, 3 * LONG * Float32Array.BYTES_PER_ELEMENT) };
}

/** Share of a peak that is reached by work done in these times. */
export const shareOf = (work: number, took: Times, peak: Times, threads: number): Times => ({
  wall: work / took.wall / peak.wall,
  cpu: (work * threads) / took.cpu / peak.cpu,
});

const ones = (...dims: number[]): HostTensor => f32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)).fill(1));

const stepOf = (session: number, inputs: Readonly<Record<string, HostTensor>>): Program => [
  {
    session,
    feeds: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, { kind: 'tensor', tensor }])),
    sinks: { y: [{ kind: 'register', name: 'y' }] },
  },
];
