import { fileURLToPath } from 'node:url';
import { toldOf } from '../formats/told.js';
import { type Saved, writeSafetensors } from '../formats/writeSafetensors.js';
import { writeWhole } from '../formats/writeWhole.js';
import type { FileCommand } from '../protocol/models.js';
import type { RunRecipe } from '../protocol/runs.js';
import { everyState, isEveryState } from '../runtime/everyToken.js';
import type { RunView, TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import type { LabRun } from './labRun.js';

/** FILE.safetensors with what went in, what came out and the probes asked for; FILE.json with the recipe that computes them again. */
export async function exportRun(
  run: LabRun,
  view: RunView,
  file: string,
  probes: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const base = file.replace(/\.safetensors$/, '');
  const tensors = new Map<string, Saved>(await run.exported(signal));
  const read = async (name: string, range: TokenRange) => (await view.probes([name], { range, signal })).get(name) as Tensor;
  const whole = { from: 0, to: view.ids.length };
  for (const probe of probes) {
    if (tensors.has(probe)) continue;
    const streamed = isEveryState(probe, view.layers);
    tensors.set(probe, streamed ? await everyState(read, probe, whole) : await read(probe, whole));
  }
  const files = [`${base}.safetensors`, `${base}.json`];
  await writeSafetensors(files[0] as string, tensors, { model: run.model.info.name, run: run.id });
  const { recipe, promptTokens, tower } = run.info;
  const about = {
    model: run.model.info.name,
    family: run.model.info.family,
    recipe,
    promptTokens,
    ids: run.engine.ids,
    probes,
    command: command(recipe, probes, tower),
  };
  await writeWhole(files[1] as string, (file) => file.writeFile(`${JSON.stringify(about, null, 2)}\n`));
  return files;
}

const quote = (text: string): string => (/^[\w./:=,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** Words of a command line as a shell takes them. */
export const commandLine = (words: readonly string[]): string => words.map(quote).join(' ');

/** The command line that says the same of a checkpoint. */
export const fileCommand = ({ verb = 'inspect', path, options }: FileCommand): string =>
  commandLine(['node', fileURLToPath(new URL('./cli.js', import.meta.url)), verb, path, ...options]);

/** The command line that computes the numbers of a run again; `tower`: the one its probes are of. */
export function command(
  { path, prompt, ids, image, inputs, chat, maxTokens, sampling, dtype = 'own' }: RunRecipe,
  probes: readonly string[],
  tower?: string,
): string {
  const cli = fileURLToPath(new URL('./cli.js', import.meta.url));
  const option = (name: string, value: string | number | null) => (value === null ? [] : [`--${name}`, quote(String(value))]);
  const draws =
    maxTokens === 0 || sampling.temperature === 0
      ? []
      : [
          ...option('temperature', sampling.temperature),
          ...option('top-k', sampling.topK),
          ...option('top-p', sampling.topP),
          ...option('seed', sampling.seed),
        ];
  return [
    'node',
    quote(cli),
    'run',
    quote(path),
    ...option('image', image ?? null),
    ...option('inputs', inputs ?? null),
    ...option('prompt', prompt),
    ...option('ids', ids === null ? null : ids.join(',')),
    ...(chat ? ['--chat'] : []),
    ...(dtype === 'own' ? [] : option('dtype', dtype)),
    ...Object.entries(toldOf(path)).flatMap(([key, value]) => option('config', `${key}=${JSON.stringify(value)}`)),
    ...(maxTokens > 0 ? ['--generate', String(maxTokens), '--all'] : []),
    ...draws,
    ...probes.flatMap((probe) => option('probe', tower ? `${tower}.${probe}` : probe)),
    '--out',
    'run.safetensors',
  ].join(' ');
}
