// What it costs to keep everything inspectable: prefill of 512 tokens of SmolLM2 shape, the engine as it always runs (segments of a
// few blocks, residual and state captured) against the whole model in one session that captures nothing.
import { rm } from 'node:fs/promises';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Model, type ModelOptions } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { interleave, report } from './lib/measure.js';
import { llamaTensors, randomModel, smolLm2 } from './lib/shapes.js';

const folder = await randomModel(smolLm2, llamaTensors(smolLm2));
const device = new LocalDevice();
const checkpoint = await openCheckpoint(folder);
const open = (options: Partial<ModelOptions>) => Model.open(checkpoint, { device, threads: 2, ...options });
const plain = await open({ blocksPerPiece: smolLm2.num_hidden_layers, capture: false });
const captured = await open({});
const ids = Array.from({ length: 512 }, (_, i) => (i * 7919) % smolLm2.vocab_size);

const prefill = (model: Model) => async () => {
  const run = await Run.create(model);
  await run.prefill(ids);
  await run.close();
};
try {
  const measured = await interleave(7, {
    'whole model, no capture': prefill(plain),
    'segments, all captured': prefill(captured),
  });
  report('Prefill of 512 tokens, SmolLM2-135M shape, fp32', measured);
} finally {
  await device.close();
  await rm(folder, { recursive: true });
}
