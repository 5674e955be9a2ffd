#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { diff } from './commands/diff.js';
import { generate } from './commands/generate.js';
import { hub, localPath } from './commands/hub.js';
import { inspect } from './commands/inspect.js';
import { run } from './commands/run.js';
import { tokenize } from './commands/tokenize.js';
import { type Arguments, options, toldKeys, usage } from './commands/usage.js';
import { weights } from './commands/weights.js';
import { tell } from './formats/told.js';
import { LabError, toLabError } from './protocol/errors.js';

/** The engine as a command, for scripts and reproducible numbers. One line a subcommand. */
const commands: Readonly<Record<string, (args: Arguments) => Promise<void>>> = {
  inspect,
  tokenize,
  run,
  generate,
  weights,
  diff,
  hub,
};

/** What stands behind a command, where it is not one PATH. */
const operands: Readonly<Record<string, string>> = { weights: 'PATH TENSOR', diff: 'A B', hub: 'preview|download ID' };

/** Those that need the weights themselves: a path on the Hub is downloaded first. */
const needWeights = new Set(['run', 'generate', 'weights']);

async function main(argv: readonly string[]): Promise<void> {
  const [name = '', ...rest] = argv;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (['', 'help', '--help', '-h'].includes(name)) {
    process.stdout.write(usage);
    return;
  }
  if (!command) throw badUsage(`there is no command "${name}"`);
  const { values, positionals } = parse(rest);
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const named = name === 'tokenize' && values.tokenizer !== undefined;
  const pair = Object.hasOwn(operands, name) ? operands[name] : undefined;
  const count = named ? 0 : pair ? 2 : 1;
  if (positionals.length !== count) throw badUsage(`${name} takes ${pair ?? 'one PATH'}${named ? ' or --tokenizer' : ''}`);
  const [path = '', second = ''] = positionals;
  tell('', toldKeys(values.config ?? []));
  await command({ ...values, path: needWeights.has(name) ? await localPath(path) : path, second });
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: joined(args), options, allowPositionals: true, strict: true });
  } catch (error) {
    throw badUsage((error as Error).message);
  }
}

/** `--text -42` as `--text=-42`: a text may begin with a dash. */
function joined(args: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [arg, value] = [args[i] as string, args[i + 1]];
    const option = arg.startsWith('--') ? arg.slice(2) : '';
    const takesText = Object.hasOwn(options, option) && options[option as keyof typeof options].type === 'string';
    if (takesText && value !== undefined) i++;
    out.push(takesText && value !== undefined ? `${arg}=${value}` : arg);
  }
  return out;
}

const badUsage = (what: string) => new LabError({ code: 'USAGE', message: what, hint: 'see "help"' });

main(process.argv.slice(2)).catch((thrown) => {
  const { code, message, hint, file, offset } = toLabError(thrown);
  const place = file === undefined ? '' : `${file}${offset === undefined ? '' : `, byte ${offset}`}: `;
  process.stderr.write(`error[${code}]: ${place}${message} (${hint})`.replaceAll(/\s*\n\s*/g, ' ').concat('\n'));
  process.exitCode = 2;
});
