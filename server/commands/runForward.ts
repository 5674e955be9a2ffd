import { writeSafetensors } from '../formats/writeSafetensors.js';
import type { OpenForward } from '../open.js';
import { LabError } from '../protocol/errors.js';
import { elements } from '../runtime/elements.js';
import type { Tensors } from '../runtime/forward.js';
import { readInputs } from './inputs.js';
import { expandProbes } from './probes.js';
import { type Arguments, required } from './usage.js';

const nothingGiven = () => new LabError({ code: 'USAGE', message: 'this model needs --inputs', hint: 'see "help"' });

/** Outputs, and the probes asked for, of a model of one pass. */
export async function runForward(args: Arguments, { checkpoint, forward }: OpenForward): Promise<void> {
  const out = required(args, 'out');
  if (args.inputs === undefined) throw nothingGiven();
  const inputs = await readInputs(args.inputs);
  const pass = forward.begin(inputs);
  const names = new Set([...pass.outputs, ...expandProbes(args.probe ?? [], () => forward.probes)]);
  await writeSafetensors(out, written(new Map([...inputs, ...(await pass.read([...names]))])), { model: checkpoint.name });
  await forward.close();
}

const written = (tensors: Tensors) =>
  new Map(
    [...tensors].map(([name, { type, dims, data }]) => [name, { shape: dims, data, dtype: elements[type].dtype }] as const),
  );
