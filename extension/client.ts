import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { LogOutputChannel } from 'vscode';
import {
  CloseAction,
  ErrorAction,
  IPCMessageReader,
  IPCMessageWriter,
  LanguageClient,
  RevealOutputChannelOn,
} from 'vscode-languageclient/node';

/** Languages whose code names parts of models; prompts are plain text or Markdown. */
const LANGUAGES = [
  'python',
  'typescript',
  'javascript',
  'typescriptreact',
  'javascriptreact',
  'json',
  'jsonc',
  'plaintext',
  'markdown',
  'prompt',
];

export interface ServerProcess {
  readonly module: string;
  readonly execPath: string;
  readonly args: readonly string[];
  /** In addition to the editor's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it opens the models and computes the runs of before again, and then says `restored`. */
  readonly restores: boolean;
}

export interface ClientEvents {
  /** The process was forked. */
  forked(child: ChildProcess): void;
  /** The connection closed though nobody asked. */
  closed(): void;
}

/**
 * The LSP client of one server process, for as long as that lives. This module is loaded when the server is first needed: it is
 * most of the extension's code.
 */
export function createClient(server: ServerProcess, log: LogOutputChannel, { forked, closed }: ClientEvents): LanguageClient {
  const serverOptions = async () => {
    const child = forkServer(server, log);
    forked(child);
    return { reader: new IPCMessageReader(child), writer: new IPCMessageWriter(child) };
  };
  return new LanguageClient('modelLab', 'Model Lab', serverOptions, {
    documentSelector: LANGUAGES.flatMap((language) => [
      { scheme: 'file', language },
      { scheme: 'untitled', language },
      { scheme: 'vscode-notebook-cell', language },
    ]),
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    markdown: { isTrusted: { enabledCommands: ['modelLab.inspectPath', 'modelLab.runPath'] }, supportThemeIcons: true },
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        closed();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
  });
}

/**
 * On Linux: glibc asks for pages of 2 MB, with which one core reads weights faster by a third. It reads this once, before a process runs, and elsewhere
 * nobody does.
 */
const LARGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

/** `advanced` serialization: typed arrays travel as they are. Plain IPC would turn a Float32Array into an object, silently. */
function forkServer({ module, execPath, args, env }: ServerProcess, log: LogOutputChannel): ChildProcess {
  const child = fork(module, [...args, '--node-ipc', `--clientProcessId=${process.pid}`], {
    execPath,
    // The development host asks for a debugger port, see .vscode/launch.json.
    execArgv: process.env.MODEL_LAB_INSPECT ? [`--inspect=${process.env.MODEL_LAB_INSPECT}`] : [],
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...LARGE_PAGES, ...process.env, ...env, ELECTRON_RUN_AS_NODE: '1', ELECTRON_NO_ASAR: '1' },
  });
  log.info(`server ${child.pid}: ${execPath} ${module} ${args.join(' ')}`);
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => log.info(line));
  if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => log.error(line));
  child.once('error', (error) => log.error(error));
  child.once('exit', (code, signal) => log.info(`server ${child.pid} ended: ${signal ?? code}`));
  return child;
}
