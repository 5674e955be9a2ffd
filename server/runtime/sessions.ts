import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { Builder } from '../graph/builder.js';
import { emitOnnx, noWeights } from '../graph/emit.js';
import type { StateSpec } from '../graph/state.js';
import { cancelled, LabError } from '../protocol/errors.js';
import { OnceByKey } from '../protocol/once.js';
import {
  type Device,
  type Feed,
  f32,
  type Program,
  type Resident,
  type RowCopy,
  type RunOptions,
  type SessionOptions,
  type Signature,
  type Sink,
  type StateSnapshot,
  type Step,
} from './device.js';
import type { HostTensor } from './elements.js';
import { createCell, isResident, type StateCell } from './stateStore.js';

/** A write into a state that waits for the end of a program, and how to let go of its value when that never comes. */
interface Write {
  apply(): void;
  drop(): void;
}

const failed = (what: string, cause: unknown) =>
  new LabError(
    {
      code: 'RUNTIME_FAILED',
      message: `ONNX Runtime could not ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Run "Model Lab: Doctor" to check the native module and the memory.',
    },
    { cause },
  );

/** Halves as bits, for which newer versions of Node have an array of their own. */
function hostTensorOf({ type, dims, data }: Tensor): HostTensor {
  const { buffer, byteOffset, byteLength } = data as ArrayBufferView<ArrayBuffer>;
  return { type, dims, data: type === 'float16' ? new Uint16Array(buffer, byteOffset, byteLength / 2) : data } as HostTensor;
}

const yieldToEvents = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Sessions and state in this thread. The only file that imports onnxruntime-node. */
export class LocalDevice implements Device {
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #states = new Map<string, StateCell>();
  /** Sessions that bring a resident tensor here, by provider and rank. */
  readonly #copiers = new OnceByKey<number>();
  /** Provider of each session that leaves outputs in its memory. */
  readonly #residents = new Map<number, string>();
  readonly #profiled = new Set<number>();
  #next = 1;

  async load(model: Uint8Array, options: SessionOptions): Promise<number> {
    const { provider = 'cpu', resident = [] } = options;
    try {
      const session = await InferenceSession.create(model, {
        executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        // Failures are thrown; what the library would print besides is for itself.
        logSeverityLevel: 4,
        enableCpuMemArena: options.arena ?? options.prepack,
        ...(options.profile !== undefined && { enableProfiling: true, profileFilePrefix: `${options.profile}${this.#next}` }),
        ...(resident.length > 0 && { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, 'gpu-buffer'])) }),
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
      if (resident.length > 0) {
        this.#residents.set(id, provider);
        // what stays there outlives the session that made it, but not the last one of its provider: letting go of it then ends the process
        await this.#copier(provider, 1);
      }
      if (options.profile !== undefined) this.#profiled.add(id);
      return id;
    } catch (error) {
      throw failed('load a segment', error);
    }
  }

  async signature(id: number): Promise<Signature> {
    const session = this.#sessions.get(id);
    const table = (values: readonly InferenceSession.ValueMetadata[] = []) =>
      new Map(values.map((value) => [value.name, value.isTensor ? { type: value.type, shape: value.shape } : null]));
    return { inputs: table(session?.inputMetadata), outputs: table(session?.outputMetadata) };
  }

  async release(sessions: readonly number[]): Promise<void> {
    for (const id of sessions) {
      const session = this.#sessions.get(id);
      if (this.#profiled.has(id)) session?.endProfiling();
      await session?.release();
      this.#sessions.delete(id);
      this.#profiled.delete(id);
      this.#residents.delete(id);
    }
  }

  async run(program: Program, options: RunOptions = {}): Promise<Record<string, HostTensor>> {
    const registers = new Map<string, HostTensor>();
    const returned: Record<string, HostTensor> = {};
    // state changes when all steps are done: a cancelled program leaves every block where it was
    const writes: Write[] = [];
    try {
      for (const [index, step] of program.entries()) {
        if (program.length > 1) await yieldToEvents();
        if (options.signal?.aborted) throw cancelled();
        await this.#step(step, registers, returned, writes);
        options.onStep?.(index + 1, program.length);
      }
    } catch (error) {
      for (const write of writes) write.drop();
      throw error;
    }
    for (const write of writes) write.apply();
    return returned;
  }

  async #step(
    step: Step,
    registers: Map<string, HostTensor>,
    returned: Record<string, HostTensor>,
    writes: Write[],
  ): Promise<void> {
    const session = this.#sessions.get(step.session);
    if (!session) throw failed('run', `session ${step.session} is closed`);
    const feeds: Record<string, Tensor> = {};
    for (const name of session.inputNames) {
      const feed = step.feeds[name];
      if (!feed) throw failed('run', `input ${name} was not given`);
      const value = this.#resolve(feed, registers);
      feeds[name] = isResident(value) ? (value.native as Tensor) : new Tensor(value.type, value.data as Float32Array, value.dims);
    }
    try {
      const outputs = await session.run(feeds, this.#fetches(step));
      for (const [name, sinks] of Object.entries(step.sinks)) {
        const output = outputs[name] as Tensor;
        const resident = output.location === 'cpu' ? null : this.#resident(output, this.#residents.get(step.session) as string);
        const tensor = resident ?? hostTensorOf(output);
        for (const sink of sinks) {
          if (sink.kind === 'state') {
            const cell = this.#state(sink.name);
            // what is returned besides may be sent to another thread
            writes.push({ apply: () => cell.write(tensor, sinks.length === 1), drop: () => resident?.dispose() });
          } else if (isResident(tensor)) throw failed('run', `${name} is in the provider's memory`);
          else if (sink.kind === 'return') returned[sink.name] = tensor;
          else registers.set(sink.name, tensor);
        }
      }
    } catch (error) {
      throw error instanceof LabError ? error : failed('run a segment', error);
    }
  }

  /** What to bring out, and where a state's next value goes, if there is a place for it. */
  #fetches({ session, sinks }: Step): Record<string, Tensor | null> {
    const place = ([sink, other]: readonly Sink[]): Tensor | null => {
      if (sink?.kind !== 'state' || other || this.#residents.has(session)) return null;
      const next = this.#state(sink.name).next();
      return next && new Tensor('float32', next.data as Float32Array, next.dims);
    };
    return Object.fromEntries(Object.entries(sinks).map(([name, to]) => [name, place(to)]));
  }

  #resident(native: Tensor, provider: string): Resident {
    return {
      dims: native.dims,
      bytes: native.size * Float32Array.BYTES_PER_ELEMENT,
      native,
      dispose: () => native.dispose(),
      // reading it directly ends the process (ONNX Runtime 1.30); a session that copies it brings it here
      download: async () => {
        const session = this.#sessions.get(await this.#copier(provider, native.dims.length)) as InferenceSession;
        const { y } = await session.run({ x: native });
        return f32(native.dims, (y as Tensor).data as Float32Array);
      },
    };
  }

  #copier(provider: string, rank: number): Promise<number> {
    return this.#copiers.get(`${provider}.${rank}`, () => {
      const g = new Builder('copy');
      const shape = Array.from({ length: rank }, (_, axis) => `d${axis}`);
      g.output('y', g.op('Identity', [g.input('x', 'f32', shape)], shape));
      const model = emitOnnx(g.graph, { place: noWeights, weights: 'map' });
      return this.load(model, { folder: '', threads: 1, prepack: false, provider });
    });
  }

  #resolve(feed: Feed, registers: Map<string, HostTensor>): HostTensor | Resident {
    if (feed.kind === 'tensor') return feed.tensor;
    if (feed.kind === 'state') return this.#state(feed.name).tensor(feed.rows);
    if (feed.kind === 'rows') return this.#state(feed.name).rows();
    if (feed.kind === 'part') return this.#state(feed.name).part(feed.head, feed.from, feed.to);
    const register = registers.get(feed.name);
    if (!register) throw failed('run', `register ${feed.name} is empty`);
    return register;
  }

  #state(name: string): StateCell {
    const cell = this.#states.get(name);
    if (!cell) throw failed('run', `there is no state ${name}`);
    return cell;
  }

  async allocate(states: Readonly<Record<string, StateSpec | HostTensor>>): Promise<void> {
    for (const [name, spec] of Object.entries(states)) this.#states.set(name, createCell(spec));
  }

  async read(names: readonly string[]): Promise<StateSnapshot> {
    return new Map(await Promise.all(names.map(async (name) => [name, await this.#state(name).read()] as const)));
  }

  async restore(states: StateSnapshot, tokens: number): Promise<void> {
    for (const [name, value] of states) this.#state(name).restore(value, tokens);
  }

  async copyRows(copies: readonly RowCopy[]): Promise<void> {
    for (const { from, to, rows } of copies) this.#state(to).write(this.#state(from).first(rows));
  }

  async stateBytes(prefix: string): Promise<number> {
    let bytes = 0;
    for (const [name, cell] of this.#states) if (name.startsWith(prefix)) bytes += cell.bytes;
    return bytes;
  }

  async free(prefix: string): Promise<void> {
    for (const [name, cell] of this.#states)
      if (name.startsWith(prefix)) {
        cell.free();
        this.#states.delete(name);
      }
  }

  async providers(): Promise<readonly string[]> {
    return listSupportedBackends().map(({ name }) => name);
  }

  async close(): Promise<void> {
    await this.free('');
    await this.release([...this.#sessions.keys()]);
  }
}
