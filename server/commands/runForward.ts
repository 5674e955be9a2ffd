import { writeSafetensors } from '../formats/writeSafetensors.js';
import { idInputs, imageInput, namedInputs, textInputs } from '../inputs.js';
import type { OpenForward } from '../open.js';
import { LabError } from '../protocol/errors.js';
import type { HostTensor } from '../runtime/elements.js';
import type { Tensors } from '../runtime/forward.js';
import { saved } from '../runtime/saved.js';
import { expandProbes } from './probes.js';
import { type Arguments, required, tokenIds } from './usage.js';

const nothingGiven = (open: OpenForward) =>
  new LabError({
    code: 'USAGE',
    message: `run needs what this model reads: ${open.forward.inputs.map(({ name }) => name).join(', ')}`,
    hint: 'give --image, --prompt, --ids or --inputs; see "help"',
  });

const givenTwice = (name: string) =>
  new LabError({ code: 'USAGE', message: `${name} is given twice`, hint: 'give each input in one way' });

const onlyGenerating = (option: string) =>
  new LabError({
    code: 'USAGE',
    message: `this model goes through its input once and takes no --${option}`,
    hint: 'leave it out',
  });

/** Outputs, and the probes asked for, of a model of one pass; and what went in. */
export async function runForward(args: Arguments, open: OpenForward): Promise<void> {
  const out = required(args, 'out');
  for (const option of ['generate', 'all', 'chat'] as const) if (args[option] !== undefined) throw onlyGenerating(option);
  const { forward, checkpoint } = open;
  const inputs = await givenInputs(args, open);
  const pass = forward.begin(inputs);
  const names = new Set([...pass.outputs, ...expandProbes(args.probe ?? [], () => forward.probes)]);
  await writeSafetensors(out, written(new Map([...inputs, ...(await pass.read([...names]))])), { model: checkpoint.name });
  await forward.close();
}

async function givenInputs(args: Arguments, open: OpenForward): Promise<Tensors> {
  const inputs = new Map<string, HostTensor>();
  const add = (tensors: Tensors) => {
    for (const [name, tensor] of tensors) {
      if (inputs.has(name)) throw givenTwice(name);
      inputs.set(name, tensor);
    }
  };
  if (args.inputs !== undefined) add(await namedInputs(open, args.inputs));
  if (args.image !== undefined) add(new Map([['pixel_values', withoutBatch((await imageInput(open, args.image)).pixels)]]));
  if (args.prompt !== undefined) add(withoutBatches(textInputs(open, args.prompt)));
  if (args.ids !== undefined) add(withoutBatches(idInputs(open, [tokenIds(args.ids)])));
  if (inputs.size === 0) throw nothingGiven(open);
  return inputs;
}

const withoutBatch = ({ type, dims, data }: HostTensor): HostTensor => ({
  type,
  dims: dims[0] === 1 ? dims.slice(1) : dims,
  data,
});
const withoutBatches = (tensors: Tensors): Tensors => new Map([...tensors].map(([name, tensor]) => [name, withoutBatch(tensor)]));

const written = (tensors: Tensors) => new Map([...tensors].map(([name, tensor]) => [name, saved(tensor)] as const));
