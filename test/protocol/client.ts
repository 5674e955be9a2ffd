import { type ChildProcess, fork } from 'node:child_process';
import {
  CancellationTokenSource,
  createProtocolConnection,
  InitializedNotification,
  InitializeRequest,
  IPCMessageReader,
  IPCMessageWriter,
  ResponseError,
} from 'vscode-languageserver/node';
import { LabError, type LabErrorData } from '../../server/protocol/errors.js';
import { EVENT, REQUEST } from '../../server/protocol/host.js';
import type { Method, Params, Result } from '../../server/protocol/requests.js';
import { type Fired, Heard } from './heard.js';

export interface Asked<R> {
  readonly result: Promise<R>;
  cancel(): void;
}

export interface Client {
  readonly child: ChildProcess;
  readonly events: readonly Fired[];
  readonly stderr: () => string;
  readonly exit: Promise<number | null>;
  request<M extends Method>(method: M, params: Params<M>): Promise<Result<M>>;
  /** As `request`, for cancelling and for progress named `progress`. */
  ask<M extends Method>(method: M, params: Params<M>, progress?: string): Asked<Result<M>>;
  /** Anything at all in place of an envelope. */
  raw(envelope: unknown): Promise<unknown>;
  /** The first event, past or future, that `matches`. */
  event(matches: (fired: Fired) => boolean): Promise<Fired>;
  close(): Promise<void>;
}

/** Forks a server as the extension does and speaks its protocol. */
export async function connect(module: string, args: readonly string[] = [], execArgv: readonly string[] = []): Promise<Client> {
  const child = fork(module, [...args, '--node-ipc', `--clientProcessId=${process.pid}`], {
    execArgv: [...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const connection = createProtocolConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const heard = new Heard();
  connection.onNotification(EVENT, (fired: Fired) => heard.add(fired));
  connection.listen();
  await connection.sendRequest(InitializeRequest.type, { processId: process.pid, rootUri: null, capabilities: {} });
  await connection.sendNotification(InitializedNotification.type, {});

  const raw = (envelope: unknown, source = new CancellationTokenSource()) =>
    connection.sendRequest<unknown>(REQUEST, envelope, source.token).catch((error) => {
      const coded = error instanceof ResponseError && error.data !== undefined;
      throw coded ? new LabError(error.data as LabErrorData) : error;
    });
  const ask = <M extends Method>(method: M, params: Params<M>, progress: string | null = null): Asked<Result<M>> => {
    const source = new CancellationTokenSource();
    return { result: raw({ method, params, progress }, source) as Promise<Result<M>>, cancel: () => source.cancel() };
  };
  return {
    child,
    events: heard.events,
    stderr: () => stderr,
    exit,
    raw: (envelope) => raw(envelope),
    ask,
    request: (method, params) => ask(method, params).result,
    event: (matches) => heard.first(matches),
    close: async () => {
      connection.dispose();
      if (child.connected) child.disconnect();
      await exit;
    },
  };
}
