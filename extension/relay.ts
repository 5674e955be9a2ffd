import * as vscode from 'vscode';
import type { FromHost, HostMethod, HostRequests, ToHost } from '../server/protocol/host.js';
import type { Method, Params } from '../server/protocol/requests.js';
import { asLabError, paramsInvalid } from './errors.js';
import { accepts, isHostMethod, parseToHost } from './messages.js';
import type { SharedSelection } from './selection.js';
import type { Server } from './server.js';

export type HostHandlers = {
  readonly [M in HostMethod]: (
    params: HostRequests[M]['params'],
  ) => Promise<HostRequests[M]['result']> | HostRequests[M]['result'];
};

type Request = Extract<ToHost, { kind: 'request' }>;

/**
 * Between webviews and server, blind to methods: a request goes on as it came, its result comes back as it is (typed arrays
 * included), events go to every open webview. Only `host/…` is answered here.
 */
export class Relay implements vscode.Disposable {
  readonly #server: Server;
  readonly #selection: SharedSelection;
  readonly #handlers: HostHandlers;
  readonly #log: vscode.LogOutputChannel;
  readonly #webviews = new Set<vscode.Webview>();
  readonly #subscriptions: vscode.Disposable[];

  constructor(server: Server, selection: SharedSelection, handlers: HostHandlers, log: vscode.LogOutputChannel) {
    this.#server = server;
    this.#selection = selection;
    this.#handlers = handlers;
    this.#log = log;
    this.#subscriptions = [
      server.onEvent(({ event, payload }) => this.#broadcast({ kind: 'event', event, payload })),
      server.onStatus((status) => this.#broadcast({ kind: 'server', status })),
      selection.onChange((value) => this.#broadcast({ kind: 'selection', selection: value })),
    ];
  }

  /** Serves this webview until disposed; what it still waits for is then cancelled. */
  attach(webview: vscode.Webview): vscode.Disposable {
    const pending = new Map<number, vscode.CancellationTokenSource>();
    this.#webviews.add(webview);
    const listener = webview.onDidReceiveMessage((data: unknown) => {
      const message = parseToHost(data);
      if (!message) this.#log.warn(`dropped a malformed message from a view: ${JSON.stringify(data)?.slice(0, 200)}`);
      else if (message.kind === 'request') void this.#answer(webview, message, pending);
      else if (message.kind === 'cancel') pending.get(message.id)?.cancel();
      else this.#greet(webview, pending);
    });
    return new vscode.Disposable(() => {
      this.#webviews.delete(webview);
      listener.dispose();
      cancelAll(pending);
    });
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** A page that (re)loaded has forgotten what it asked before, and may have missed a change since its boot data was written. */
  #greet(webview: vscode.Webview, pending: Map<number, vscode.CancellationTokenSource>): void {
    cancelAll(pending);
    post(webview, { kind: 'server', status: this.#server.status });
    post(webview, { kind: 'selection', selection: this.#selection.value });
  }

  async #answer(webview: vscode.Webview, request: Request, pending: Map<number, vscode.CancellationTokenSource>): Promise<void> {
    const { id } = request;
    const source = new vscode.CancellationTokenSource();
    pending.set(id, source);
    // a page that loaded again counts from one: what the one before asked is not its answer
    const tell = (message: FromHost) => pending.get(id) === source && post(webview, message);
    try {
      const result = isHostMethod(request.method)
        ? await this.#host(request.method, request.params)
        : await this.#server.request(request.method as Method, request.params as Params<Method>, {
            token: source.token,
            progress: ({ done, total, what }) => tell({ kind: 'progress', id, done, total, what }),
          });
      tell({ kind: 'result', id, result: result ?? null });
    } catch (error) {
      tell({ kind: 'error', id, error: asLabError(error).toData() });
    } finally {
      if (pending.get(id) === source) pending.delete(id);
      source.dispose();
    }
  }

  async #host<M extends HostMethod>(method: M, params: unknown): Promise<HostRequests[M]['result']> {
    const accepted: (params: unknown) => params is HostRequests[M]['params'] = accepts[method];
    if (!accepted(params)) throw paramsInvalid(method);
    return this.#handlers[method](params);
  }

  #broadcast(message: FromHost): void {
    for (const webview of this.#webviews) post(webview, message);
  }
}

/** A view that was closed in the meantime does not matter. */
function post(webview: vscode.Webview, message: FromHost): void {
  webview.postMessage(message).then(undefined, () => undefined);
}

function cancelAll(pending: Map<number, vscode.CancellationTokenSource>): void {
  for (const source of pending.values()) source.cancel();
  pending.clear();
}
