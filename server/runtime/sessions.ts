import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import type { StateSpec } from '../graph/state.js';
import { cancelled, LabError } from '../protocol/errors.js';
import type { Device, Feed, HostTensor, Program, RunOptions, SessionOptions, StateSnapshot, Step } from './device.js';
import { createCell, type StateCell } from './stateStore.js';

const failed = (what: string, cause: unknown) =>
  new LabError(
    {
      code: 'RUNTIME_FAILED',
      message: `ONNX Runtime could not ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Run "Model Lab: Doctor" to check the native module and the memory.',
    },
    { cause },
  );

const yieldToEvents = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Sessions and state in this thread. The only file that imports onnxruntime-node. */
export class LocalDevice implements Device {
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #states = new Map<string, StateCell>();
  #next = 1;

  async load(model: Uint8Array, options: SessionOptions): Promise<number> {
    try {
      const session = await InferenceSession.create(model, {
        executionProviders: options.provider && options.provider !== 'cpu' ? [options.provider, 'cpu'] : ['cpu'],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        // Failures are thrown; what the library would print besides is for itself.
        logSeverityLevel: 4,
        enableCpuMemArena: options.prepack,
        extra: {
          session: {
            model_external_initializers_file_folder_path: options.folder,
            disable_prepacking: options.prepack ? '0' : '1',
            // Spinning threads of many sessions would fight over the cores.
            intra_op: { allow_spinning: options.spinning ? '1' : '0' },
          },
        },
      });
      const id = this.#next++;
      this.#sessions.set(id, session);
      return id;
    } catch (error) {
      throw failed('load a segment', error);
    }
  }

  async release(sessions: readonly number[]): Promise<void> {
    for (const id of sessions) {
      await this.#sessions.get(id)?.release();
      this.#sessions.delete(id);
    }
  }

  async run(program: Program, options: RunOptions = {}): Promise<Record<string, HostTensor>> {
    const registers = new Map<string, HostTensor>();
    const returned: Record<string, HostTensor> = {};
    // state changes when all steps are done: a cancelled program leaves every block where it was
    const writes: (() => void)[] = [];
    for (const [index, step] of program.entries()) {
      if (program.length > 1) await yieldToEvents();
      if (options.signal?.aborted) throw cancelled();
      await this.#step(step, registers, returned, writes);
      options.onStep?.(index + 1, program.length);
    }
    for (const write of writes) write();
    return returned;
  }

  async #step(
    step: Step,
    registers: Map<string, HostTensor>,
    returned: Record<string, HostTensor>,
    writes: (() => void)[],
  ): Promise<void> {
    const session = this.#sessions.get(step.session);
    if (!session) throw failed('run', `session ${step.session} is closed`);
    const feeds: Record<string, Tensor> = {};
    for (const name of session.inputNames) {
      const feed = step.feeds[name];
      if (!feed) throw failed('run', `input ${name} was not given`);
      const { type, data, dims } = this.#resolve(feed, registers);
      feeds[name] = new Tensor(type, data as Float32Array, dims);
    }
    try {
      const outputs = await session.run(feeds, Object.keys(step.sinks));
      for (const [name, sinks] of Object.entries(step.sinks)) {
        const { type, dims, data } = outputs[name] as Tensor;
        const tensor = { type, dims, data } as HostTensor;
        for (const sink of sinks) {
          if (sink.kind === 'return') returned[sink.name] = tensor;
          else if (sink.kind === 'register') registers.set(sink.name, tensor);
          else {
            const cell = this.#state(sink.name);
            writes.push(() => cell.write(tensor));
          }
        }
      }
    } catch (error) {
      throw error instanceof LabError ? error : failed('run a segment', error);
    }
  }

  #resolve(feed: Feed, registers: Map<string, HostTensor>): HostTensor {
    if (feed.kind === 'tensor') return feed.tensor;
    if (feed.kind === 'state') return this.#state(feed.name).tensor();
    if (feed.kind === 'rows') return this.#state(feed.name).rows();
    const register = registers.get(feed.name);
    if (!register) throw failed('run', `register ${feed.name} is empty`);
    return register;
  }

  #state(name: string): StateCell {
    const cell = this.#states.get(name);
    if (!cell) throw failed('run', `there is no state ${name}`);
    return cell;
  }

  async allocate(states: Readonly<Record<string, StateSpec>>): Promise<void> {
    for (const [name, spec] of Object.entries(states)) this.#states.set(name, createCell(spec));
  }

  async read(names: readonly string[]): Promise<StateSnapshot> {
    return new Map(names.map((name) => [name, this.#state(name).read()]));
  }

  async stateBytes(prefix: string): Promise<number> {
    let bytes = 0;
    for (const [name, cell] of this.#states) if (name.startsWith(prefix)) bytes += cell.bytes;
    return bytes;
  }

  async free(prefix: string): Promise<void> {
    for (const name of this.#states.keys()) if (name.startsWith(prefix)) this.#states.delete(name);
  }

  async providers(): Promise<readonly string[]> {
    return listSupportedBackends().map(({ name }) => name);
  }

  async close(): Promise<void> {
    await this.release([...this.#sessions.keys()]);
    this.#states.clear();
  }
}
