import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { proxyFor } from './proxy.js';

type Env = Readonly<Record<string, string | undefined>>;

const TRUE = new Set(['1', 'ON', 'YES', 'TRUE']);
const isTrue = (value: string | undefined): boolean => TRUE.has((value ?? '').toUpperCase());
const set = (value: string | undefined): string | null => (value === undefined || value === '' ? null : expandHome(value));
const expandHome = (path: string): string => (path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path);

/** What huggingface_hub reads from its environment, with the same names and defaults. */
export interface HubEnvironment {
  /** Without a slash at the end. */
  readonly endpoint: string;
  /** Folder of `models--org--name`. */
  readonly cache: string;
  /** File that `hf auth login` writes. */
  readonly tokenFile: string;
  readonly token: string | null;
  /** Nothing may be asked of the network. */
  readonly offline: boolean;
  /** The proxy for an address of the network; null for none. */
  proxy(url: URL): URL | null;
}

export function hubEnvironment(env: Env = process.env): HubEnvironment {
  const home = set(env.HF_HOME) ?? join(set(env.XDG_CACHE_HOME) ?? join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint: (set(env.HF_ENDPOINT) ?? 'https://huggingface.co').replace(/\/+$/, ''),
    cache: set(env.HF_HUB_CACHE) ?? set(env.HUGGINGFACE_HUB_CACHE) ?? join(home, 'hub'),
    tokenFile: set(env.HF_TOKEN_PATH) ?? join(home, 'token'),
    token: set(env.HF_TOKEN) ?? set(env.HUGGING_FACE_HUB_TOKEN),
    offline: isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE),
    proxy: (url) => proxyFor(url, env),
  };
}

/** The token to use: the one given, else the environment's, else that of `hf auth login`; null for none. */
export async function tokenFor(given: string | null, { token, tokenFile }: HubEnvironment): Promise<string | null> {
  const stored = given ?? token ?? (await readFile(tokenFile, 'utf8').catch(() => ''));
  return stored.trim() === '' ? null : stored.trim();
}
