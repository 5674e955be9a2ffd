import { Worker } from 'node:worker_threads';
import type { StateSpec } from '../graph/state.js';
import { LabError, type LabErrorData } from '../protocol/errors.js';
import type { Device, Program, RowCopy, RunOptions, SessionOptions, Signature, StateSnapshot } from './device.js';
import type { HostTensor } from './elements.js';

type Plain = Exclude<keyof Device, 'run'>;

export type ToWorker =
  | { readonly id: number; readonly method: Plain; readonly args: readonly unknown[] }
  | {
      readonly id: number;
      readonly method: 'run';
      readonly program: Program;
      readonly cancel: SharedArrayBuffer;
      readonly progress: boolean;
    };

export type FromWorker =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: LabErrorData }
  | { readonly id: number; readonly done: number; readonly total: number };

interface Pending {
  resolve(result: unknown): void;
  reject(error: LabError): void;
  onStep?: ((done: number, total: number) => void) | undefined;
}

const lost = (why: string) =>
  new LabError({
    code: 'DEVICE_LOST',
    message: `The thread that runs models ended: ${why}.`,
    hint: 'Restart the server with "Model Lab: Restart Server".',
  });

/** A device in a worker thread, so that the server answers while a model runs. */
export class WorkerDevice implements Device {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 1;

  /** `script`: dist/worker.js, or its TypeScript source under a loader. `onLost`: the thread ended though nobody closed it. */
  constructor(
    script: URL | string,
    private readonly onLost: (error: LabError) => void = () => undefined,
  ) {
    this.#worker = new Worker(script);
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(lost(error.message)));
    this.#worker.on('exit', (code) => this.#fail(lost(`exit code ${code}`)));
    this.#worker.unref();
  }

  load = (model: Uint8Array, options: SessionOptions) => this.#call<number>('load', model, options);
  signature = (session: number) => this.#call<Signature>('signature', session);
  release = (sessions: readonly number[]) => this.#call<void>('release', sessions);
  allocate = (states: Readonly<Record<string, StateSpec | HostTensor>>) => this.#call<void>('allocate', states);
  read = (names: readonly string[]) => this.#call<StateSnapshot>('read', names);
  restore = (states: StateSnapshot, tokens: number) => this.#call<void>('restore', states, tokens);
  copyRows = (copies: readonly RowCopy[]) => this.#call<void>('copyRows', copies);
  stateBytes = (prefix: string) => this.#call<number>('stateBytes', prefix);
  free = (prefix: string) => this.#call<void>('free', prefix);
  providers = () => this.#call<readonly string[]>('providers');

  async run(program: Program, options: RunOptions = {}): Promise<Record<string, HostTensor>> {
    const cancel = new SharedArrayBuffer(4);
    const stop = () => Atomics.store(new Int32Array(cancel), 0, 1);
    if (options.signal?.aborted) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const message = { method: 'run', program, cancel, progress: options.onStep !== undefined } as const;
      return (await this.#send(message, options.onStep)) as Record<string, HostTensor>;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  }

  async close(): Promise<void> {
    await this.#call<void>('close').catch(() => undefined);
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
  }

  #call<R>(method: Plain, ...args: readonly unknown[]): Promise<R> {
    return this.#send({ method, args }) as Promise<R>;
  }

  #send(message: DistributiveOmit<ToWorker, 'id'>, onStep?: Pending['onStep']): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onStep });
      // The process stays alive while a call is under way, and only then.
      this.#worker.ref();
      this.#worker.postMessage({ id, ...message });
    });
  }

  #receive(message: FromWorker): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ('done' in message) {
      pending.onStep?.(message.done, message.total);
      return;
    }
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in message) pending.reject(new LabError(message.error));
    else pending.resolve(message.result);
  }

  #fail(error: LabError): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.onLost(error);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
