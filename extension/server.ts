import type { ChildProcess } from 'node:child_process';
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import type { LabError } from '../server/protocol/errors.js';
import type { EventName, Events } from '../server/protocol/events.js';
import { type Envelope, EVENT, REQUEST, type ServerStatus } from '../server/protocol/host.js';
import type { Method, Params, Result } from '../server/protocol/requests.js';
import type { ServerProcess } from './client.js';
import { Crashes } from './crashes.js';
import { serverStopped, showError, untrusted } from './errors.js';
import { fromWire } from './wire.js';

/** A server that was asked to stop gets this long before it is ended. */
const STOP_TIMEOUT_MS = 2000;

/** What a model's author could make the machine do: never without trust in the workspace. */
const RUNS_A_MODEL: ReadonlySet<Method> = new Set<Method>(['models/open', 'runs/start', 'runs/branch']);

/** In place of a token that is missing: an undefined one would travel as a parameter. */
const NEVER = new vscode.CancellationTokenSource().token;

export interface ProgressStep {
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

export interface RequestOptions {
  readonly token?: vscode.CancellationToken | undefined;
  readonly progress?: ((step: ProgressStep) => void) | undefined;
}

export type ServerEvent = { [E in EventName]: { readonly event: E; readonly payload: Events[E] } }[EventName];

export interface ServerOptions {
  readonly log: vscode.LogOutputChannel;
  /** How to start the process now; `again` when it ran before in this window. */
  launch(again: boolean): Promise<ServerProcess>;
}

/**
 * The lab's server process and the one way to ask it. It starts on the first request, starts again at once after a crash, and
 * gives up after several crashes in a row. What was asked of a process that died fails with SERVER_LOST.
 */
export class Server implements vscode.Disposable {
  readonly #options: ServerOptions;
  readonly #statusChanged = new vscode.EventEmitter<ServerStatus>();
  readonly #event = new vscode.EventEmitter<ServerEvent>();
  readonly #progress = new Map<string, (step: ProgressStep) => void>();
  readonly #crashes = new Crashes();
  #client: Promise<LanguageClient> | null = null;
  #child: ChildProcess | null = null;
  #status: ServerStatus = 'stopped';
  #failure: LabError | null = null;
  #restoring = false;
  #forks = 0;
  #requests = 0;

  readonly onStatus = this.#statusChanged.event;
  readonly onEvent = this.#event.event;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get status(): ServerStatus {
    return this.#status;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Why it is stopped, when nobody stopped it. */
  get failure(): LabError | null {
    return this.#failure;
  }

  /** True while runs of before may still come back. */
  get restoring(): boolean {
    return this.#restoring;
  }

  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): vscode.Disposable {
    return this.#event.event((fired) => {
      if (fired.event === event) listener(fired.payload as Events[E]);
    });
  }

  /** Errors: those of the request, CANCELLED, SERVER_LOST, SERVER_STOPPED, WORKSPACE_UNTRUSTED. */
  async request<M extends Method>(
    method: M,
    params: Params<M>,
    { token = NEVER, progress }: RequestOptions = {},
  ): Promise<Result<M>> {
    if (RUNS_A_MODEL.has(method) && !vscode.workspace.isTrusted) throw untrusted();
    const client = await this.start();
    const name = progress ? `p${++this.#requests}` : null;
    if (name && progress) this.#progress.set(name, progress);
    try {
      const envelope: Envelope = { method, params, progress: name };
      return await client.sendRequest<Result<M>>(REQUEST, envelope, token);
    } catch (error) {
      throw fromWire(error);
    } finally {
      if (name) this.#progress.delete(name);
    }
  }

  /** Resolves when the server answers; every caller shares one start. Errors: SERVER_STOPPED until `restart` after too many crashes. */
  start(): Promise<LanguageClient> {
    if (this.#failure?.code === 'SERVER_STOPPED') return Promise.reject(this.#failure);
    this.#client ??= this.#launch('starting');
    return this.#client;
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#crashes.forget();
    this.#failure = null;
    await this.start();
  }

  async stop(): Promise<void> {
    const client = this.#client;
    const child = this.#child;
    this.#client = null;
    this.#child = null;
    try {
      await (await client)?.dispose(STOP_TIMEOUT_MS);
    } catch (error) {
      this.#options.log.warn(`stopping the server: ${String(error)}`);
    }
    if (child && child.exitCode === null && child.signalCode === null) child.kill();
    // a view may have asked meanwhile, and so have started the next one
    if (this.#client === null) this.#setStatus('stopped');
  }

  dispose(): void {
    this.#statusChanged.dispose();
    this.#event.dispose();
    void this.stop();
  }

  #launch(status: 'starting' | 'restarting'): Promise<LanguageClient> {
    this.#failure = null;
    this.#setStatus(status);
    const launched = this.#connectOrGiveUp(status === 'restarting').catch((error) => {
      const failure = fromWire(error);
      if (this.#client === launched) {
        this.#client = null;
        this.#failure = failure;
        this.#setStatus('stopped');
      }
      throw failure;
    });
    return launched;
  }

  async #connectOrGiveUp(crashed: boolean): Promise<LanguageClient> {
    for (let died = crashed; ; died = true) {
      if (died && !this.#crashes.record(Date.now())) throw serverStopped('it crashed five times within three minutes.');
      try {
        return await this.#connect();
      } catch (error) {
        const failure = fromWire(error);
        if (failure.code !== 'SERVER_LOST') throw failure;
      }
    }
  }

  async #connect(): Promise<LanguageClient> {
    const { log, launch } = this.#options;
    const { createClient } = await import('./client.js');
    const process = await launch(this.#forks++ > 0);
    this.#restoring = process.restores;
    let running = false;
    const client = createClient(process, log, {
      forked: (child) => {
        this.#child = child;
      },
      closed: () => running && this.#crashed(),
    });
    client.onNotification(EVENT, (fired: ServerEvent) => this.#receive(fired));
    await client.start();
    running = true;
    this.#setStatus('ready');
    return client;
  }

  #crashed(): void {
    this.#client = this.#launch('restarting');
    this.#client.catch((error) => void showError(error));
  }

  #receive(fired: ServerEvent): void {
    if (fired.event === 'restored') this.#restoring = false;
    if (fired.event === 'progress') this.#progress.get(fired.payload.token)?.(fired.payload);
    else this.#event.fire(fired);
  }

  #setStatus(status: ServerStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#statusChanged.fire(status);
  }
}
