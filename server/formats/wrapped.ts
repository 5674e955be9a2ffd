import type { Checkpoint } from './checkpoint.js';

/** Modules that trainers put around a model (DistributedDataParallel, torch.compile), as they show in every name. */
const wrapper = /^(module|_orig_mod)\./;
/** A trainer's own module holds the model as `model`, and what Hugging Face calls `model.` or `lm_head.` is below. */
const trainer = /^model\.(?=(model|lm_head)\.)/;

/** The checkpoint with the names its tensors had before a trainer wrapped the model. */
export function unwrapped(checkpoint: Checkpoint): Checkpoint {
  const entries = [...checkpoint.tensors.values()];
  const outer = (names: readonly string[]): string => {
    const [first = ''] = names;
    const prefix = wrapper.exec(first)?.[0] ?? (names.some((name) => trainer.test(name)) ? 'model.' : '');
    if (prefix === '' || !names.every((name) => name.startsWith(prefix))) return '';
    return prefix + outer(names.map((name) => name.slice(prefix.length)));
  };
  const { length } = outer(entries.map(({ name }) => name));
  if (length === 0) return checkpoint;
  return {
    ...checkpoint,
    tensors: new Map(entries.map((entry) => [entry.name.slice(length), { ...entry, name: entry.name.slice(length) }])),
  };
}
