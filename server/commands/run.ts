import { continuation } from '../continuation.js';
import { writeSafetensors } from '../formats/writeSafetensors.js';
import { openModel, requireTokenizer } from '../open.js';
import { promptIds } from '../prompt.js';
import { LabError } from '../protocol/errors.js';
import type { Model } from '../runtime/model.js';
import { Run } from '../runtime/run.js';
import type { TokenRange } from '../runtime/view.js';
import type { Tensor } from '../tensor/tensor.js';
import { openDevice } from './device.js';
import { type Arguments, count, greedy, required, sampling, threads, tokenIds } from './usage.js';

const promptOrIds = () =>
  new LabError({ code: 'USAGE', message: 'run needs --prompt or --ids, and not both', hint: 'see "help"' });

const noMatch = (pattern: string) =>
  new LabError({ code: 'PROBE_UNKNOWN', message: `No probe matches ${pattern}.`, hint: 'inspect lists every probe of a model.' });

/** Logits and probes of a prompt as a .safetensors file; written whole or not at all. */
export async function run(args: Arguments): Promise<void> {
  const out = required(args, 'out');
  if ((args.prompt === undefined) === (args.ids === undefined)) throw promptOrIds();
  const generated = count(args, 'generate', 0);
  const draw = sampling(args, greedy);
  const device = openDevice();
  const open = await openModel(args.path, { device, threads: threads(args) });
  const ids =
    args.ids !== undefined ? tokenIds(args.ids) : promptIds(requireTokenizer(open), args.prompt as string, args.chat ?? false);
  const names = (args.probe ?? []).flatMap((pattern) => expand(open.model, pattern));
  const engine = await Run.create(open.model);
  await engine.prefill(ids);
  const continued: number[] = [];
  if (generated > 0) for await (const id of continuation(engine, generated, draw, open.stop, args.all)) continued.push(id);
  const range = { from: 0, to: args.all ? engine.ids.length : ids.length };
  const tensors = new Map<string, Tensor | Tensor<Int32Array>>(await collect(engine, names, range));
  tensors.set('input_ids', { shape: [ids.length], data: Int32Array.from(ids) });
  if (generated > 0) tensors.set('generated', { shape: [continued.length], data: Int32Array.from(continued) });
  await writeSafetensors(out, tensors, { model: open.checkpoint.name, architecture: open.model.bound.architecture.id });
  await open.model.close();
  await device.close();
}

/** Names with * (or `blocks.i.`) stand for every probe they match. Errors: PROBE_UNKNOWN. */
function expand(model: Model, pattern: string): string[] {
  if (!/\*|^blocks\.i\./.test(pattern)) return [pattern];
  const all = model.probes.flatMap((name) =>
    name.startsWith('blocks.i.') ? model.layers.map((layer) => name.replace('blocks.i.', `blocks.${layer.index}.`)) : [name],
  );
  const escaped = pattern
    .replace(/^blocks\.i\./, 'blocks.*.')
    .split('*')
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${escaped.join('.*')}$`);
  const found = all.filter((name) => expression.test(name));
  if (found.length === 0) throw noMatch(pattern);
  return found;
}

/** Probes block by block, each block's by one segment run, and logits always. */
async function collect(engine: Run, names: readonly string[], range: TokenRange): Promise<Map<string, Tensor>> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const block = /^blocks\.\d+\./.exec(name)?.[0] ?? (name === 'embed' ? name : 'head');
    groups.set(block, [...(groups.get(block) ?? []), name]);
  }
  const result = new Map<string, Tensor>();
  for (const group of groups.values())
    for (const [name, tensor] of await engine.probes(group, { range })) result.set(name, tensor);
  const V = engine.model.bound.config.vocab;
  const logits = new Float32Array((range.to - range.from) * V);
  await engine.eachLogits(range, (t, row) => logits.set(row, (t - range.from) * V));
  return result.set('logits', { shape: [range.to - range.from, V], data: logits });
}
