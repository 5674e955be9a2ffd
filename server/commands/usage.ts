import { availableParallelism } from 'node:os';
import type { Checkpoint } from '../formats/checkpoint.js';
import { LabError } from '../protocol/errors.js';
import { type RunDtype, runDtypes, type Sampling } from '../protocol/models.js';
import type { Compute, Device } from '../runtime/device.js';
import { chooseProvider, providerNames } from '../runtime/providers.js';
import { tokenizerNames } from '../tokenizer/named.js';

export const usage = `Model Lab: the engine without an editor. PATH is a Hugging Face folder or a file.

  inspect  PATH [--tokens T]                      headers, architecture, tensors, declared state and its bytes at T, probes
  inspect  PATH --graph (outline | PART)          the graph that runs: which segments are built alike, or every operator of one:
                                                  embed, head or a block's number (vision.3 in a model of towers)
  inspect  PATH --roofline [--tokens T] [--batch B] [--dtype D] [--pixels HxW] [--machine ID] [--measure]
                                                  will it run here: memory, operations and bytes of prefill and decoding (or of one pass over
                                                  texts and images), predicted from the graph for this machine or another, by dtype;
                                                  --measure: each part timed as well
  tokenize (PATH | --tokenizer NAME) (--text TEXT | --file FILE | --stdin) [--json]
                                                  ids and pieces with UTF-16 offsets; --json: bytes, roles, merges too
                                                  NAME: ${tokenizerNames.join(' ')}
  run      PATH (--prompt TEXT | --ids 1,2,3) [--probe NAME]… [--generate N] [--all] --out FILE.safetensors
                                                  logits [T,V] and probes of the prompt (--all: of the generated tokens too)
  run      PATH [--image FILE]… [--prompt TEXT]… [--inputs FILE] [--probe NAME]… --out FILE.safetensors
                                                  outputs and probes of a model of one pass: images as its preprocessor_config.json says,
                                                  texts, and tensors by the names of its inputs (.safetensors, .npz; .npy for
                                                  the only one), with a batch axis or without
  generate PATH --prompt TEXT --max N [--chat]    streams text
  hub      preview ID [--revision R] [--file F]    what a model on the Hugging Face Hub is, from its headers
  hub      download ID [--revision R] [--file F]…  into the cache that Hugging Face's tools share; goes on where it broke off
                                                  PATH may be hf://org/name@revision

  weights  PATH TENSOR                            one stored tensor as JSON: statistics, singular values, outlier channels, quantisation errors
  diff     A B [--out FILE.json]                  two checkpoints by tensor, of any formats

  Sampling: --temperature X (0 is greedy) --top-k K --top-p P --seed S.   --threads N   --provider ${providerNames.join('|')}
  Weights: --dtype ${runDtypes.join('|')}   --kl: how far run's prompt is from fp32 (printed; written as kl [T], nats)
  A probe name may hold * : --probe 'blocks.*.attn.pattern'
  What config.json lacks: --config KEY=VALUE, as in --config rope_interleave=true
`;

export const options = {
  help: { type: 'boolean' },
  text: { type: 'string' },
  file: { type: 'string', multiple: true },
  revision: { type: 'string' },
  stdin: { type: 'boolean' },
  json: { type: 'boolean' },
  tokenizer: { type: 'string' },
  prompt: { type: 'string', multiple: true },
  ids: { type: 'string' },
  inputs: { type: 'string' },
  image: { type: 'string', multiple: true },
  probe: { type: 'string', multiple: true },
  generate: { type: 'string' },
  max: { type: 'string' },
  all: { type: 'boolean' },
  chat: { type: 'boolean' },
  out: { type: 'string' },
  tokens: { type: 'string' },
  graph: { type: 'string' },
  roofline: { type: 'boolean' },
  batch: { type: 'string' },
  pixels: { type: 'string' },
  machine: { type: 'string' },
  measure: { type: 'boolean' },
  temperature: { type: 'string' },
  'top-k': { type: 'string' },
  'top-p': { type: 'string' },
  seed: { type: 'string' },
  threads: { type: 'string' },
  provider: { type: 'string' },
  dtype: { type: 'string' },
  kl: { type: 'boolean' },
  config: { type: 'string', multiple: true },
} as const;

type Parsed = {
  readonly [K in keyof typeof options]?: (typeof options)[K]['type'] extends 'boolean'
    ? boolean
    : (typeof options)[K] extends { multiple: true }
      ? string[]
      : string;
};

export type Arguments = Parsed & {
  readonly path: string;
  /** The second operand of a command that takes two, else empty. */
  readonly second: string;
};

/** More only wait for each other, and starting a hundred thousand takes minutes. */
const MOST_THREADS = 1024;

export const badValue = (name: string, value: string, expected: string) =>
  new LabError({ code: 'USAGE', message: `--${name} is "${value}"`, hint: `give ${expected}` });

export const missing = (name: string) => new LabError({ code: 'USAGE', message: `--${name} is missing`, hint: 'see "help"' });

const twice = (name: string) =>
  new LabError({ code: 'USAGE', message: `--${name} is given twice`, hint: 'this model reads one text at a time' });

/** KEY=VALUE, each value as JSON, or else the text itself. */
export function toldKeys(given: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    given.map((text) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (key === undefined || value === undefined) throw badValue('config', text, 'KEY=VALUE');
      return [key, jsonOr(value)];
    }),
  );
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The prompt of a model that reads one; null when there is none. */
export function onePrompt({ prompt = [] }: Arguments): string | null {
  if (prompt.length > 1) throw twice('prompt');
  return prompt[0] ?? null;
}

export function required(args: Arguments, name: 'max' | 'out'): string {
  const value = args[name];
  if (value === undefined) throw missing(name);
  return value;
}

/** A whole number ≥ least, or the fallback when the option is absent. */
export function count<F>(
  args: Arguments,
  name: 'generate' | 'max' | 'tokens' | 'batch' | 'top-k' | 'seed' | 'threads',
  fallback: F,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | F {
  const value = args[name];
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least || number > most || value.trim() === '')
    throw badValue(name, value, `a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `≥ ${least}`}`);
  return number;
}

function fraction<F>(args: Arguments, name: 'temperature' | 'top-p', fallback: F, most: number): number | F {
  const value = args[name];
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!(number >= 0 && number <= most) || value.trim() === '') throw badValue(name, value, `a number between 0 and ${most}`);
  return number;
}

export function tokenIds(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const bad = parts.find((part) => !/^\d+$/.test(part));
  if (bad !== undefined) throw badValue('ids', text, 'token ids separated by commas');
  return parts.map(Number);
}

/** What the person asked for over what `defaults` says. */
export const sampling = (args: Arguments, defaults: Sampling): Sampling => ({
  temperature: fraction(args, 'temperature', defaults.temperature, 100),
  topK: count(args, 'top-k', defaults.topK, 1),
  topP: fraction(args, 'top-p', defaults.topP, 1),
  seed: count(args, 'seed', defaults.seed),
});

const dtypeFixed = (name: string, option: string) =>
  new LabError({
    code: 'DTYPE_FIXED',
    message: `${name} is a graph that says itself how it is computed: ${option} does not apply to it`,
    hint: 'leave it out, or give the checkpoint that the graph was exported from',
  });

/** Errors: DTYPE_FIXED, when it is to be computed as something that its file does not leave open. */
export function checkDtype({ checkpoint }: { readonly checkpoint: Checkpoint }, { dtype = 'own', kl }: Arguments): void {
  if (checkpoint.format !== 'onnx') return;
  if (dtype !== 'own') throw dtypeFixed(checkpoint.name, `--dtype ${dtype}`);
  if (kl) throw dtypeFixed(checkpoint.name, '--kl');
}

export const greedy: Sampling = { temperature: 0, topK: null, topP: null, seed: null };

/** What to compute with. A provider that does not work is told on stderr and replaced by the CPU. */
export async function compute(args: Arguments, device: Device): Promise<Compute & { readonly dtype: RunDtype }> {
  const provider = oneOf('provider', args.provider ?? 'cpu', providerNames);
  const dtype = oneOf('dtype', args.dtype ?? 'own', runDtypes);
  const choice = await chooseProvider(device, provider);
  if (choice.refused)
    process.stderr.write(`warning[${choice.refused.code}]: ${choice.refused.message} (${choice.refused.hint})\n`);
  return { threads: count(args, 'threads', availableParallelism(), 1, MOST_THREADS), provider: choice.provider, dtype };
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (!found) throw badValue(name, value, `one of ${known.join(', ')}`);
  return found;
}
