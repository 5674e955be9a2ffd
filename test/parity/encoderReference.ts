import path from 'node:path';
import { openCheckpoint } from '../../server/formats/registry.js';
import { type Exact, exact } from '../../server/graph/exact/tensor.js';
import { i64 } from '../../server/runtime/device.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { EncoderModel } from '../../server/runtime/encoder.js';
import type { EncoderPass } from '../../server/runtime/encoderPass.js';
import type { Tensors } from '../../server/runtime/forward.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { TowerPass } from '../../server/runtime/towerPass.js';
import type { Tensor } from '../../server/tensor/tensor.js';

/** Inputs among the tensors of a reference: whole numbers for everything but pixels. */
export function inputsOf(oracle: ReadonlyMap<string, Tensor>): Tensors {
  const inputs = new Map<string, HostTensor>();
  for (const name of ['input_ids', 'attention_mask', 'token_type_ids']) {
    const found = oracle.get(name);
    if (found) inputs.set(name, i64(found.shape, [...found.data]));
  }
  const pixels = oracle.get('pixel_values');
  if (pixels) inputs.set('pixel_values', { type: 'float32', dims: pixels.shape, data: pixels.data });
  return inputs;
}

/** What the segments of a tower read, filled in where the reference leaves it open, with the batch axis. */
export const givenTo = (pass: EncoderPass, tower: string): Record<string, Exact> =>
  Object.fromEntries(
    [...(pass.towers.get(tower) as TowerPass).given].map(([name, { dims, data }]) => [
      `given.${name}`,
      exact(dims, data as Float32Array),
    ]),
  );

/** An encoder in this thread, begun with the inputs of a reference. */
export async function openEncoder(folder: string, oracle: ReadonlyMap<string, Tensor>) {
  const device = new LocalDevice();
  const model = await EncoderModel.open(await openCheckpoint(path.resolve(folder)), { device, threads: 1 });
  const close = async () => {
    await model.close();
    await device.close();
  };
  return { model, begin: () => model.begin(inputsOf(oracle)), close };
}

/** Rows from the last to the first. */
export function reversed({ shape, data }: Tensor): Tensor {
  const size = data.length / (shape[0] as number);
  const out = new Float32Array(data.length);
  for (let row = 0; row * size < data.length; row++)
    out.set(data.subarray(row * size, (row + 1) * size), data.length - (row + 1) * size);
  return { shape, data: out };
}

/** The mean of all rows, at length 1: [T,D] → [D]. */
export function unitMean({ shape, data }: Tensor): Tensor {
  const [T, D] = shape as [number, number];
  const mean = Float32Array.from({ length: D }, (_, d) => {
    let sum = 0;
    for (let t = 0; t < T; t++) sum += data[t * D + d] as number;
    return sum / T;
  });
  const length = Math.hypot(...mean);
  return { shape: [D], data: mean.map((value) => value / length) };
}
