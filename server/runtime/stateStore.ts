import type { StateSpec } from '../graph/state.js';
import { forgetsNothing, type Keeps, mostRows, rowsKept } from '../protocol/keeps.js';
import { f32, i64, type Resident } from './device.js';
import type { HostTensor } from './elements.js';
import { zeros } from './slab.js';

/** KV arrays grow by this many rows, and long ones by a 16th: appending row by row copies each row 16 times on average, whatever the length. */
const ROWS_STEP = 128;
const GROWTH = 1 / 16;

/** One piece of state on the device. The batch axis is part of the arrays (B = 1). */
export interface StateCell {
  /** All of it, or the first rows of kv where it has room for more. */
  tensor(rows?: number): HostTensor | Resident;
  rows(): HostTensor;
  /** Rows from…to−1 of one head of kv. */
  part(head: number, from: number, to: number): HostTensor;
  /** What a sink writes: new rows for kv, the whole state otherwise. `own`: nobody else has its numbers, so that they may be kept without a copy. */
  write(value: HostTensor | Resident, own?: boolean): void;
  read(): Promise<HostTensor>;
  /** Where a session may write the next value of a state that is replaced, which is then written as our own; null where there is no such place. Once until then. */
  next(): HostTensor | null;
  /** Becomes what it is after `tokens` tokens; `value` is as `read` gives it. */
  restore(value: HostTensor, tokens: number): void;
  /** The first rows of kv, with the batch axis. */
  first(rows: number): HostTensor;
  free(): void;
  readonly bytes: number;
}

export function createCell(spec: StateSpec | HostTensor): StateCell {
  if ('dims' in spec) return new PlainCell(spec, false);
  if (spec.kind === 'kv') return new RowCell(spec);
  const shape = spec.shape as readonly number[];
  return new PlainCell(f32([1, ...shape], new Float32Array(shape.reduce((n, d) => n * d, 1))), true);
}

export const isResident = (tensor: HostTensor | Resident): tensor is Resident => 'native' in tensor;

class PlainCell implements StateCell {
  #value: HostTensor | Resident;
  /** What the value before was in, when nobody else has it. Arrays made anew for every token keep the collector of garbage at work. */
  #spare: HostTensor | null = null;
  #own = false;

  /** `batched`: the first axis is the batch, and is not read. */
  constructor(
    initial: HostTensor,
    private readonly batched: boolean,
  ) {
    this.#value = initial;
  }
  tensor = () => this.#value;
  rows = () => i64([1], [0]);
  part(): never {
    throw new RangeError('a state that is replaced has no rows');
  }
  write(value: HostTensor | Resident, own = false): void {
    this.free();
    if (this.#own && !isResident(this.#value)) this.#spare = this.#value;
    this.#own = this.batched && !isResident(value);
    this.#value = own || isResident(value) ? value : { ...value, data: value.data.slice() };
  }
  next(): HostTensor | null {
    const spare = this.#spare;
    this.#spare = null;
    return spare;
  }
  async read(): Promise<HostTensor> {
    const { type, dims, data } = isResident(this.#value) ? await this.#value.download() : this.#value;
    return { type, dims: this.batched ? dims.slice(1) : dims, data: data.slice() };
  }
  restore(value: HostTensor): void {
    this.write(this.batched ? { ...value, dims: [1, ...value.dims] } : value);
  }
  first(): never {
    throw new RangeError('a state that is replaced whole has no rows');
  }
  free(): void {
    if (isResident(this.#value)) this.#value.dispose();
  }
  get bytes(): number {
    return isResident(this.#value) ? this.#value.bytes : this.#value.data.byteLength;
  }
}

/** Rows [K,C,E] (or [C,E]: one head) with the first `rows` valid; a sliding window or a chunk keeps only the newest. */
class RowCell implements StateCell {
  /** [K], or nothing when the rows have no heads. */
  readonly #outer: readonly number[];
  readonly #heads: number;
  readonly #size: number;
  readonly #keeps: Keeps;
  readonly #most: number;
  /** Rows ever written. */
  #seen = 0;
  #capacity = 1;
  #rows = 0;
  #data: Float32Array;

  constructor(spec: StateSpec) {
    this.#outer = spec.shape.slice(0, -2) as number[];
    this.#heads = this.#outer[0] ?? 1;
    this.#size = spec.shape.at(-1) as number;
    this.#keeps = spec.keeps;
    this.#most = mostRows(spec.keeps) ?? Number.POSITIVE_INFINITY;
    this.#data = zeros(this.#heads * this.#size);
  }

  tensor = (rows = this.#capacity) =>
    rows < this.#capacity ? this.first(rows) : f32([1, ...this.#outer, this.#capacity, this.#size], this.#data);
  rows = () => i64([1], [this.#rows]);

  part(head: number, from: number, to: number): HostTensor {
    const start = (head * this.#capacity + from) * this.#size;
    const held = this.#data.subarray(start, start + (Math.min(to, this.#capacity) - from) * this.#size);
    const dims = [1, 1, to - from, this.#size];
    if (to <= this.#capacity) return f32(dims, held);
    const longer = new Float32Array((to - from) * this.#size);
    longer.set(held);
    return f32(dims, longer);
  }

  write(given: HostTensor | Resident, own = false): void {
    const value = given as HostTensor; // rows are appended here, so they never stay elsewhere
    const added = value.dims.at(-2) as number;
    if (own && this.#seen === 0 && added % ROWS_STEP === 0 && forgetsNothing(this.#keeps)) {
      this.#data = value.data as Float32Array;
      this.#seen = added;
      this.#rows = added;
      this.#capacity = added;
      return;
    }
    this.#seen += added;
    const rows = forgetsNothing(this.#keeps) ? this.#seen : rowsKept(this.#keeps, this.#seen);
    const fresh = Math.min(added, rows);
    const old = rows - fresh;
    this.#resize(rows, old);
    const [E, source] = [this.#size, value.data as Float32Array];
    for (let h = 0; h < this.#heads; h++) {
      const from = (h * added + added - fresh) * E;
      this.#data.set(source.subarray(from, from + fresh * E), (h * this.#capacity + old) * E);
    }
    this.#rows = rows;
  }

  /** Makes room for `rows` and moves the newest `old` ones to the front. */
  #resize(rows: number, old: number): void {
    const room = rows > this.#capacity ? Math.max(rows, this.#capacity * (1 + GROWTH)) : rows;
    const capacity = Math.max(Math.min(Math.ceil(room / ROWS_STEP) * ROWS_STEP, Math.max(this.#most, 1)), this.#capacity);
    const drop = this.#rows - old;
    if (capacity === this.#capacity && drop === 0) return;
    const data = capacity === this.#capacity ? this.#data : zeros(this.#heads * capacity * this.#size);
    for (let h = 0; h < this.#heads; h++) {
      const from = (h * this.#capacity + drop) * this.#size;
      data.set(this.#data.subarray(from, from + old * this.#size), h * capacity * this.#size);
    }
    this.#data = data;
    this.#capacity = capacity;
  }

  async read(): Promise<HostTensor> {
    const [K, S, E] = [this.#heads, this.#rows, this.#size];
    const out = new Float32Array(K * S * E);
    for (let h = 0; h < K; h++) {
      const from = h * this.#capacity * E;
      out.set(this.#data.subarray(from, from + S * E), h * S * E);
    }
    return f32([...this.#outer, S, E], out);
  }

  restore(value: HostTensor, tokens: number): void {
    const rows = value.dims.at(-2) as number;
    this.#seen = forgetsNothing(this.#keeps) ? 0 : tokens - rows;
    this.#rows = 0;
    this.write(value);
  }

  first(rows: number): HostTensor {
    const E = this.#size;
    const out = new Float32Array(this.#heads * rows * E);
    for (let h = 0; h < this.#heads; h++)
      out.set(this.#data.subarray(h * this.#capacity * E, (h * this.#capacity + rows) * E), h * rows * E);
    return f32([1, ...this.#outer, rows, E], out);
  }

  next = () => null;

  free(): void {}

  get bytes(): number {
    return this.#data.byteLength;
  }
}
