import { parseArgs } from 'node:util';
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

/** Unknown arguments are the LSP library's own. */
export function parseOptions(args: readonly string[]): ServerOptions {
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
  return {
    storage: text(values.storage),
    embedded: text(values.embedded),
    threads: positive(values.threads),
    provider: providerNames.find((name) => name === values.provider) ?? 'cpu',
    dtype: runDtypes.find((name) => name === values.dtype) ?? 'own',
    spinning: values.spinning === true,
    sessions: positive(values.sessions),
    memoryLimit: positive(values.memory),
    runsMemory: positive(values.runs),
    config: tables(values.config),
    restore: values.restore === true,
  };
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A table of tables as JSON; what is none is left out. */
function tables(value: unknown): ServerOptions['config'] {
  try {
    const parsed: unknown = JSON.parse(String(value));
    const entries = isTable(parsed) ? Object.entries(parsed) : [];
    return Object.fromEntries(entries.filter((entry): entry is [string, Record<string, unknown>] => isTable(entry[1])));
  } catch {
    return {};
  }
}

const positive = (value: unknown): number | null => {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? number : null;
};
