import { Builder } from '../graph/builder.js';
import { emitOnnx, noWeights } from '../graph/emit.js';
import type { Value } from '../graph/ir.js';
import type { Machine } from '../protocol/fit.js';
import type { Device } from './device.js';
import { measureProducts } from './machineProducts.js';
import { fastest, type MeasureOptions, ones, type Probe, ROWS, SQUARE } from './timedProbe.js';

/** One weight of 64 MB is read as decoding reads weights: larger than the caches of one core, small enough for any machine. */
const WIDE = 4096;
const CHAIN = 100;
/** A vector of a hidden layer's chunk, 1 MB, handed from operator to operator. */
const INNER = 256 * 1024;

/**
 * What this machine does at best, by small graphs of ONNX Runtime with the threads that models use: matrix products, weights read from memory,
 * numbers passed between operators, starting a call and an operator, and products with whole numbers. Two seconds or three. Errors: RUNTIME_FAILED, CANCELLED.
 */
export async function measureMachine(device: Device, options: MeasureOptions): Promise<Machine> {
  const probes = [vectorProduct(), matrixProduct(), chain(INNER, CHAIN), chain(8, CHAIN), chain(8, 1)];
  const best: number[] = [];
  for (const [i, probe] of probes.entries()) {
    best.push(await fastest(device, probe, options));
    options.onProgress?.(i + 1, probes.length + 1);
  }
  const products = await measureProducts(device, options);
  const [vector, matrix, inner, tiny, single] = best as [number, number, number, number, number];
  const operatorSeconds = Math.max(0, tiny - single) / (CHAIN - 1);
  // an addition reads two vectors and writes one, a root reads one and writes one
  const passed = CHAIN * 2.5 * INNER * 4;
  return {
    id: 'here',
    name: 'this machine',
    memory: null,
    bandwidth: (WIDE * WIDE * 4) / vector,
    flops: { fp32: (2 * ROWS * SQUARE * SQUARE) / matrix },
    source: `measured with ${options.threads} ${options.threads === 1 ? 'thread' : 'threads'} on ${options.provider ?? 'cpu'}`,
    measured: {
      innerBandwidth: passed / inner,
      operatorSeconds,
      callSeconds: Math.max(0, single - operatorSeconds),
      products,
      threads: options.threads,
      provider: options.provider ?? 'cpu',
    },
  };
}

/** A weight that no file holds: ONNX Runtime folds it into its own packed copy when the session begins. */
const filled = (g: Builder, rows: number, cols: number): Value =>
  g.op('Expand', [g.constant(0.01), g.ints(rows, cols)], [rows, cols]);

function product(name: string, rows: number, inner: number, cols: number): Probe {
  const graph = new Builder(name);
  const x = graph.input('x', 'f32', [rows, inner]);
  graph.output('y', graph.matmul(x, filled(graph, inner, cols)));
  return probeOf(graph, { x: ones(rows, inner) });
}

const vectorProduct = (): Probe => product('bandwidth', 1, WIDE, WIDE);
const matrixProduct = (): Probe => product('peak', ROWS, SQUARE, SQUARE);

function chain(size: number, length: number): Probe {
  const graph = new Builder('chain');
  const [x, y] = [graph.input('x', 'f32', [size]), graph.input('y', 'f32', [size])];
  let value = x;
  for (let i = 0; i < length; i++) value = i % 2 === 0 ? graph.add(value, y) : graph.op('Sqrt', [value], [size]);
  graph.output('z', value);
  return probeOf(graph, { x: ones(size), y: ones(size) });
}

function probeOf({ graph }: Builder, inputs: Probe['inputs']): Probe {
  const model = emitOnnx(graph, { place: noWeights, weights: 'prepack' });
  return { model, folder: '/', outputs: [...graph.outputs.keys()], inputs };
}
