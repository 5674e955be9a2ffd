import { continuation } from '../continuation.js';
import { openModel, requireTokenizer } from '../open.js';
import { promptIds } from '../prompt.js';
import { StreamDecoder } from '../tokenizer/streamDecoder.js';
import { warnOfAssumptions } from './assumed.js';
import { openDevice } from './device.js';
import { type Arguments, checkDtype, compute, count, missing, onePrompt, required, sampling } from './usage.js';

/** Streams the continuation of a prompt to stdout, sampled as generation_config.json says unless told otherwise. */
export async function generate(args: Arguments): Promise<void> {
  const prompt = onePrompt(args);
  if (prompt === null) throw missing('prompt');
  required(args, 'max');
  const max = count(args, 'max', 0, 1);
  const device = openDevice();
  const open = await openModel(args.path, { device, ...(await compute(args, device)) });
  checkDtype(open, args);
  warnOfAssumptions(open);
  const tokenizer = requireTokenizer(open);
  const run = await open.model.start();
  await run.prefill(promptIds(tokenizer, prompt, args.chat ?? false));
  const decoder = new StreamDecoder(tokenizer);
  for await (const id of continuation(run, max, sampling(args, open.sampling), open.stop)) {
    if (open.stop.has(id)) break;
    process.stdout.write(decoder.push(id));
  }
  process.stdout.write(`${decoder.flush()}\n`);
  await open.model.close();
  await device.close();
}
