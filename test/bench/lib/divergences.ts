import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { openCheckpoint } from '../../../server/formats/registry.js';
import type { RunDtype } from '../../../server/protocol/models.js';
import { ReferenceLogits, spokenDivergence } from '../../../server/runtime/divergence.js';
import { Model } from '../../../server/runtime/model.js';
import { Run } from '../../../server/runtime/run.js';
import { LocalDevice } from '../../../server/runtime/sessions.js';
import { createTokenizer } from '../../../server/tokenizer/registry.js';
import { threads } from './bench.js';

const TEXT = 'CONTRIBUTING.md';
const TOKENS = 512;

/** Some weights in another form. */
export interface Form {
  readonly name: string;
  readonly file: string;
  readonly dtype: RunDtype;
}

/** What the next tokens of a text are by other forms of the weights in a file, against fp32: a line each. */
export async function divergences(file: string, forms: readonly Form[]): Promise<string[]> {
  const device = new LocalDevice();
  const { tokenizer: source } = await openCheckpoint(file);
  if (source === null) throw new Error(`${file} has no tokenizer`);
  const text = await readFile(path.resolve(import.meta.dirname, '../../..', TEXT), 'utf8');
  const ids = (await createTokenizer(source))
    .encode(text)
    .slice(0, TOKENS)
    .map(({ id }) => id);
  const runBy = async <R>({ file, dtype }: Omit<Form, 'name'>, read: (run: Run) => Promise<R>): Promise<R> => {
    const model = await Model.open(await openCheckpoint(file), { device, threads, dtype });
    const run = await Run.create(model);
    await run.prefill(ids);
    const result = await read(run);
    await run.close();
    await model.close();
    return result;
  };
  const reference = await runBy({ file, dtype: 'fp32' }, (run) => ReferenceLogits.of(run));
  const lines: string[] = [];
  for (const form of forms) {
    const found = await runBy(form, (run) => reference.divergence(run));
    lines.push(`${form.name}: ${spokenDivergence(found)} (${TEXT})`);
  }
  await reference.remove();
  await device.close();
  return lines;
}
