import { parseArgs } from 'node:util';
import { LabError } from './protocol/errors.js';
import { type RunDtype, runDtypes } from './protocol/models.js';
import { type ProviderName, providerNames } from './runtime/providers.js';

/** What the extension tells the server on its command line. */
export interface ServerOptions {
  /** Folder of this workspace's session file; null keeps nothing. */
  readonly storage: string | null;
  /** Folder of the embedded models; null for none. */
  readonly embedded: string | null;
  /** Threads to compute with; null for the machine's own choice. */
  readonly threads: number | null;
  readonly provider: ProviderName;
  /** What weights are computed as unless a run says otherwise. */
  readonly dtype: RunDtype;
  /** Threads wait for work actively. */
  readonly spinning: boolean;
  /** Inspection sessions a model keeps open; null for the engine's own choice. */
  readonly sessions: number | null;
  /** Bytes that models and runs may use together; null decides by the memory that is free. */
  readonly memoryLimit: number | null;
  /** Bytes that runs may hold, null for a share of the machine's memory. What is beyond is dropped, and computed again when it is looked at. */
  readonly runsMemory: number | null;
  /** What a person says of configs, by the name or path of a checkpoint. */
  readonly config: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Open the models and compute the runs of the session file again. */
  readonly restore: boolean;
}

const invalid = (setting: string, value: unknown, expected: string) =>
  new LabError({
    code: 'SETTING_INVALID',
    message: `modelLab.${setting} is ${JSON.stringify(value)}, and not ${expected}: its default is used.`,
    hint: 'Correct it in the settings.',
  });

/** What is not as it should be becomes its default, and is told in `refused`. Unknown arguments are the LSP library's own. */
export function parseOptions(args: readonly string[]): {
  readonly options: ServerOptions;
  readonly refused: readonly LabError[];
} {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    options: {
      storage: { type: 'string' },
      embedded: { type: 'string' },
      threads: { type: 'string' },
      provider: { type: 'string' },
      dtype: { type: 'string' },
      spinning: { type: 'boolean', default: false },
      sessions: { type: 'string' },
      memory: { type: 'string' },
      runs: { type: 'string' },
      config: { type: 'string' },
      restore: { type: 'boolean', default: false },
    },
  });
  const refused: LabError[] = [];
  /** 0 is the default, too. */
  const whole = (setting: string, value: unknown, most: number): number | null => {
    const number = Number(value ?? 0);
    if (Number.isSafeInteger(number) && number >= 0 && number <= most) return number || null;
    refused.push(invalid(setting, value, most < Number.MAX_SAFE_INTEGER ? `a whole number up to ${most}` : 'a size in GB'));
    return null;
  };
  const word = <T extends string>(setting: string, value: unknown, known: readonly T[], otherwise: T): T => {
    const found = known.find((name) => name === (value ?? otherwise));
    if (found === undefined) refused.push(invalid(setting, value, `one of ${known.join(', ')}`));
    return found ?? otherwise;
  };
  const config = tables(values.config);
  if (config === null) refused.push(invalid('config', values.config, 'a table of tables'));
  const options = {
    storage: text(values.storage),
    embedded: text(values.embedded),
    threads: whole('server.threads', values.threads, MOST_THREADS),
    provider: word('provider', values.provider, providerNames, 'cpu'),
    dtype: word('dtype', values.dtype, runDtypes, 'own'),
    spinning: values.spinning === true,
    sessions: whole('server.sessions', values.sessions, MOST_SESSIONS),
    memoryLimit: whole('memory.limit', values.memory, Number.MAX_SAFE_INTEGER),
    runsMemory: whole('memory.runs', values.runs, Number.MAX_SAFE_INTEGER),
    config: config ?? {},
    restore: values.restore === true,
  };
  return { options, refused };
}

/** As package.json says of the settings. */
const MOST_THREADS = 256;
const MOST_SESSIONS = 4096;

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A table of tables as JSON; null where it is none. */
function tables(value: unknown): ServerOptions['config'] | null {
  try {
    const parsed: unknown = JSON.parse(String(value ?? '{}'));
    const areTables = (all: unknown): all is ServerOptions['config'] => isTable(all) && Object.values(all).every(isTable);
    return areTables(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
