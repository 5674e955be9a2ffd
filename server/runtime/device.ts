import type { StateSpec } from '../graph/state.js';
import type { HostTensor } from './elements.js';

export type { HostTensor } from './elements.js';

export const f32 = (dims: readonly number[], data: Float32Array): HostTensor => ({ type: 'float32', dims, data });
export const i64 = (dims: readonly number[], values: readonly number[]): HostTensor => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
});

/** A tensor in the memory of a provider, where it stays between two calls. Whoever holds it disposes of it. */
export interface Resident {
  readonly dims: readonly number[];
  readonly bytes: number;
  /** The runtime's own tensor. */
  readonly native: unknown;
  download(): Promise<HostTensor>;
  dispose(): void;
}

/** What a session input is given. */
export type Feed =
  | { readonly kind: 'tensor'; readonly tensor: HostTensor }
  /** An output of an earlier step of the same program. */
  | { readonly kind: 'register'; readonly name: string }
  /** State that lives on the device; for kv, its first rows are valid: with all the room behind them, or only as many as are named. */
  | { readonly kind: 'state'; readonly name: string; readonly rows?: number }
  /** How many rows of a kv state are valid, as i64 [1]. */
  | { readonly kind: 'rows'; readonly name: string }
  /** Rows from…to−1 of one head of a kv state, [1,1,to−from,E], not copied; what is not written yet is zeros. */
  | { readonly kind: 'part'; readonly name: string; readonly head: number; readonly from: number; readonly to: number };

/** Where a session output goes; one output may go to several places. */
export type Sink =
  | { readonly kind: 'return'; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  /** kv: append the rows; otherwise: replace. */
  | { readonly kind: 'state'; readonly name: string };

export interface Step {
  readonly session: number;
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly sinks: Readonly<Record<string, readonly Sink[]>>;
}

/** Steps in order: one call of the device, cancellable between steps. */
export type Program = readonly Step[];

/** What a session computes with. */
export interface Compute {
  readonly threads: number;
  /** Execution provider by ONNX Runtime's name; what it has no kernel for runs on the CPU. Default: cpu. */
  readonly provider?: string;
  /** Threads wait for work actively: faster on a machine with nothing else to do, much slower on a busy one. Default: false. */
  readonly spinning?: boolean;
  /** Each session writes what its operators took to a JSON file of this prefix when it is released; for measurements. */
  readonly profile?: string;
}

export interface SessionOptions extends Compute {
  /** Folder that external data locations are relative to. */
  readonly folder: string;
  /** Keep packed copies of weights (generating sessions), or work on the mapped file (inspection). */
  readonly prepack: boolean;
  /** Keep what was allocated for the next run; default: as `prepack`. */
  readonly arena?: boolean;
  /** Outputs that stay in the provider's memory, where it has one of its own: state that is replaced at every call. */
  readonly resident?: readonly string[];
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly onStep?: (done: number, total: number) => void;
}

/** State as read back: kv carries only its valid rows [K,rows,E]. */
export type StateSnapshot = ReadonlyMap<string, HostTensor>;

export interface RowCopy {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
}

/** By name; null for what is not a tensor. */
export interface Signature {
  readonly inputs: ReadonlyMap<string, TensorType | null>;
  readonly outputs: ReadonlyMap<string, TensorType | null>;
}

export interface TensorType {
  /** By ONNX Runtime's name: one of ElementType, or one that JavaScript cannot hold. */
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/**
 * Where sessions run and state lives. The worker thread implements it for the server (session.run blocks its event loop),
 * the same class in the caller's thread for tests.
 */
export interface Device {
  load(model: Uint8Array, options: SessionOptions): Promise<number>;
  /** What a session takes and gives, as ONNX Runtime inferred it. */
  signature(session: number): Promise<Signature>;
  release(sessions: readonly number[]): Promise<void>;
  /** Errors: CANCELLED, RUNTIME_FAILED. */
  run(program: Program, options?: RunOptions): Promise<Record<string, HostTensor>>;
  /** Creates state filled with zeros (kv: without rows), or with a tensor, which is replaced and may then have another shape. */
  allocate(states: Readonly<Record<string, StateSpec | HostTensor>>): Promise<void>;
  read(names: readonly string[]): Promise<StateSnapshot>;
  /** Sets state that was allocated to what it holds after `tokens` tokens: rows that are kept [K,rows,E], or the whole state. */
  restore(states: StateSnapshot, tokens: number): Promise<void>;
  /** Appends the first rows of kv states to others, which are empty. */
  copyRows(copies: readonly RowCopy[]): Promise<void>;
  /** Bytes allocated for state under a prefix. */
  stateBytes(prefix: string): Promise<number>;
  free(prefix: string): Promise<void>;
  /** Execution providers this build of ONNX Runtime offers. */
  providers(): Promise<readonly string[]>;
  close(): Promise<void>;
}
