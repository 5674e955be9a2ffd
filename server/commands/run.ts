import { realpath } from 'node:fs/promises';
import { continuation } from '../continuation.js';
import { type Saved, writeSafetensors } from '../formats/writeSafetensors.js';
import { type OpenModel, openAny, openModel, requireTokenizer } from '../open.js';
import { promptIds } from '../prompt.js';
import { LabError } from '../protocol/errors.js';
import { idsOfFile } from '../readInputs.js';
import { ReferenceLogits, spokenDivergence } from '../runtime/divergence.js';
import { everyLogits, everyState, isEveryState } from '../runtime/everyToken.js';
import type { ModelOptions } from '../runtime/model.js';
import type { Sequence } from '../runtime/sequence.js';
import type { TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import { warnOfAssumptions } from './assumed.js';
import { openDevice } from './device.js';
import { expandProbes } from './probes.js';
import { runForward } from './runForward.js';
import {
  type Arguments,
  badValue,
  checkDtype,
  compute,
  count,
  greedy,
  onePrompt,
  required,
  sampling,
  tokenIds,
} from './usage.js';

const promptOrIds = () =>
  new LabError({
    code: 'USAGE',
    message: 'run needs --prompt or --ids (or input_ids in --inputs), and not two',
    hint: 'see "help"',
  });

const noImages = () =>
  new LabError({
    code: 'INPUT_UNKNOWN',
    message: 'This model takes no image.',
    hint: 'It reads tokens: give --prompt or --ids.',
  });

/** Outputs and probes of a prompt or of other inputs as a .safetensors file; written whole or not at all. */
export async function run(args: Arguments): Promise<void> {
  required(args, 'out');
  const device = openDevice();
  const options = { device, ...(await compute(args, device)), onePass: isOnePass(args) };
  const reference = args.kl ? await referenceOf(args, options) : null;
  try {
    const open = await openAny(args.path, options);
    checkDtype(open, args);
    await checkOut(open, required(args, 'out'));
    if ('forward' in open) await runForward(args, open);
    else {
      warnOfAssumptions(open);
      await runSequence(args, open, reference);
    }
  } finally {
    await reference?.remove();
  }
  await device.close();
}

/** What is written does not take the place of the weights it comes from. Errors: USAGE. */
async function checkOut({ checkpoint }: Pick<OpenModel, 'checkpoint'>, out: string): Promise<void> {
  const place = await realpath(out).catch(() => null);
  if (checkpoint.files.some(({ path }) => path === place)) throw badValue('out', out, 'a file that is none of the model');
}

/** Tensors by name are given once; who wants to go on from them gives the tokens to a language model. */
const isOnePass = ({ inputs, generate, all }: Arguments): boolean =>
  inputs !== undefined && generate === undefined && all === undefined;

/** What the model says of the prompt in fp32, kept in a file: the two need not be in memory at once. */
async function referenceOf(args: Arguments, options: ModelOptions): Promise<ReferenceLogits> {
  const open = await openModel(args.path, { ...options, dtype: 'fp32' });
  checkDtype(open, args);
  const engine = await open.model.start();
  await engine.prefill(await idsOf(args, open));
  const reference = await ReferenceLogits.of(engine);
  await open.model.close();
  return reference;
}

async function runSequence(args: Arguments, open: OpenModel, reference: ReferenceLogits | null): Promise<void> {
  const out = required(args, 'out');
  if (args.image !== undefined) throw noImages();
  const generated = count(args, 'generate', 0);
  const draw = sampling(args, greedy);
  const ids = await idsOf(args, open);
  const names = expandProbes(args.probe ?? [], () => open.model.probes).filter((name) => name !== 'logits');
  const engine = await open.model.start();
  await engine.prefill(ids);
  const divergence = await reference?.divergence(engine);
  const continued: number[] = [];
  if (generated > 0) for await (const id of continuation(engine, generated, draw, open.stop, args.all)) continued.push(id);
  const range = { from: 0, to: args.all ? engine.ids.length : ids.length };
  const [every, others] = [true, false].map((wanted) => names.filter((name) => isEveryState(name, engine.layers) === wanted));
  const tensors = await collect(engine, others as string[], range);
  const read = async (name: string, part: TokenRange) => (await engine.probes([name], { range: part })).get(name) as Tensor;
  for (const name of every as string[]) tensors.set(name, await everyState(read, name, range));
  tensors.set('input_ids', { shape: [ids.length], data: Int32Array.from(ids) });
  if (divergence) tensors.set('kl', { shape: [ids.length], data: divergence.perToken });
  if (generated > 0) tensors.set('generated', { shape: [continued.length], data: Int32Array.from(continued) });
  await writeSafetensors(out, tensors, { model: open.checkpoint.name, architecture: open.model.family });
  if (divergence) process.stdout.write(`${spokenDivergence(divergence)}\n`);
  await open.model.close();
}

async function idsOf(args: Arguments, open: OpenModel): Promise<number[]> {
  const prompt = onePrompt(args);
  const ways = [prompt ?? undefined, args.ids, args.inputs].filter((way) => way !== undefined);
  if (ways.length !== 1) throw promptOrIds();
  if (args.ids !== undefined) return tokenIds(args.ids);
  if (args.inputs === undefined) return promptIds(requireTokenizer(open), prompt as string, args.chat ?? false);
  return idsOfFile(args.inputs);
}

/** Probes block by block, each block's by one segment run; and logits, which are written whether they are asked for or not. */
async function collect(engine: Sequence, names: readonly string[], range: TokenRange): Promise<Map<string, Saved>> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const block = /^blocks\.\d+\./.exec(name)?.[0] ?? (/^embed($|\.#)/.test(name) ? 'embed' : 'head');
    groups.set(block, [...(groups.get(block) ?? []), name]);
  }
  const result = new Map<string, Saved>([['logits', everyLogits(engine, range)]]);
  for (const group of groups.values())
    for (const [name, tensor] of await engine.probes(group, { range })) result.set(name, tensor);
  return result;
}
