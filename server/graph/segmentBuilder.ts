import { LabError } from '../protocol/errors.js';
import { Builder } from './builder.js';
import type { Dim, DType, Value } from './ir.js';
import { rowsDim, type StateSpec } from './state.js';

/** What a graph must know of a checkpoint: which tensors it has and their shapes. */
export interface TensorTable {
  shape(name: string): readonly number[] | null;
  /** Every name, for those who must find out what they mean. */
  names?(): Iterable<string>;
  /** Small tensors that change the graph itself, read before it is built: RoPE divisors of GGUF files. */
  readonly values?: ReadonlyMap<string, Float32Array>;
}

export interface SegmentRequest {
  /** Full probe names to make outputs; state after every token is asked for as `blocks.i.state.NAME`. */
  readonly probes: ReadonlySet<string>;
  /** Full probe names whose value is changed to value · NAME.scale + NAME.shift, two inputs that broadcast. */
  readonly interventions: ReadonlySet<string>;
  /** Queries that are read at a time where nobody looks at their scores; absent: all at once, spelled out as views show it. */
  readonly queries?: number | undefined;
  /** A call reads one token of one sequence: what is there for many may be left out. */
  readonly single?: boolean | undefined;
}

/** An input of the model itself, by the name its users know: `pixel_values`. */
export interface Given {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** What it is filled with when it is not given; null when it must be. */
  readonly otherwise: number | null;
  /** Its values are whole numbers from 0 to below this; null for any. */
  readonly below: number | null;
  /** Texts are filled up to this many tokens, as those the model was trained on; null when they are not. */
  readonly padTo: number | null;
  /** The smallest size of each axis; null for 1. */
  readonly least: readonly number[] | null;
}

const weightMissing = (names: readonly string[]) =>
  new LabError({
    code: 'WEIGHT_MISSING',
    message: `The checkpoint has no tensor ${names.join(' or ')}.`,
    hint: 'The file is incomplete, or its architecture is another one than its config says.',
  });

const weightShape = (name: string, shape: readonly number[], expected: readonly number[]) =>
  new LabError({
    code: 'WEIGHT_SHAPE',
    message: `Tensor ${name} is [${shape.join(', ')}], but the config asks for [${expected.join(', ')}].`,
    hint: 'The config and the tensors of this checkpoint contradict each other.',
  });

/**
 * The `g` of an architecture file: operators, plus the four things a block may ask for: weights of the checkpoint, named
 * probes, declared state, and carries that run beside the residual stream.
 */
export class SegmentBuilder extends Builder {
  /** Every probe name declared while building, in graph order. */
  readonly declared: string[] = [];
  /** The values that probes name, in graph order; those that are only observed are not among them. */
  readonly named = new Map<string, Value>();
  readonly interventions = new Set<string>();
  /** Inputs of the model that this segment reads. */
  readonly givens = new Map<string, Given>();
  #scope = '';
  #prefix = '';
  /** The prefix outside the innermost scope, which is a block's. */
  #root = '';
  readonly #memo = new Map<unknown, Value>();

  constructor(
    name: string,
    private readonly tensors: TensorTable,
    private readonly request: SegmentRequest,
  ) {
    super(name);
  }

  // inputs every segment shares ──────────────────────────────────────────────

  /** i64 [B,T]. */
  get tokens(): Value {
    return this.input('tokens', 'i64', ['B', 'T']);
  }

  /** An input by the name the model's users know it under. */
  given(name: string, dtype: DType, shape: readonly Dim[], rules: Partial<Given> = {}): Value {
    this.givens.set(name, { otherwise: null, below: null, padTo: null, least: null, ...rules, name, dtype, shape });
    return this.input(`given.${name}`, dtype, shape);
  }

  /** Tokens before this call, i64 [1]: the position of the first new token. */
  get past(): Value {
    return this.input('past', 'i64', [1]);
  }

  /** Tokens of the run when each new token was read, itself and all that were read with it: i64 [T]. */
  get reach(): Value {
    return this.input('reach', 'i64', ['T']);
  }

  /** T as i64 [1], measured on a value with T on `axis`. */
  tokenCount(like: Value, axis = 1): Value {
    return this.memo('T', () => this.unsqueeze(this.size(like, axis), 0));
  }

  /** Positions of the new tokens, i64 [T]. */
  positions(like: Value, axis = 1): Value {
    return this.memo('positions', () => this.add(this.range(this.squeeze(this.tokenCount(like, axis), 0), 'T'), this.past));
  }

  /** Computes a value once a segment, e.g. a mask that several blocks share. */
  memo(key: unknown, make: () => Value): Value {
    const known = this.#memo.get(key);
    if (known) return known;
    const value = make();
    this.#memo.set(key, value);
    return value;
  }

  // scope ────────────────────────────────────────────────────────────────────

  /** Runs `build` with probes named under `scope` and weights under `prefix`. */
  within<R>(scope: string, prefix: string, build: () => R): R {
    const [outerScope, outerPrefix, outerRoot] = [this.#scope, this.#prefix, this.#root];
    if (scope !== '') [this.#scope, this.#root] = [`${scope}.`, outerPrefix];
    this.#prefix = `${outerPrefix}${prefix}`;
    try {
      return build();
    } finally {
      [this.#scope, this.#prefix, this.#root] = [outerScope, outerPrefix, outerRoot];
    }
  }

  /** Runs `build` in the scope of this block with the weights of another place: shared ones are stored once. */
  elsewhere<R>(prefix: string, build: () => R): R {
    const own = this.#prefix;
    this.#prefix = this.#root + prefix;
    try {
      return build();
    } finally {
      this.#prefix = own;
    }
  }

  // probes ───────────────────────────────────────────────────────────────────

  /**
   * Names `x`, which is at once a place to look and a place to intervene. Returns what the graph goes on with. `as`: how it is shown when it is
   * carried in another shape, and the way back.
   */
  probe(name: string, x: Value, as: { apart(x: Value): Value; together(x: Value): Value } | null = null): Value {
    const full = this.#scope + name;
    this.declared.push(full);
    const changed = this.request.interventions.has(full);
    if (!changed && !this.request.probes.has(full)) {
      this.named.set(full, x);
      return x;
    }
    const shown = as ? as.apart(x) : x;
    const value = changed ? this.#intervene(full, shown) : shown;
    this.named.set(full, value);
    if (this.request.probes.has(full)) this.output(full, value);
    if (!changed) return x;
    return as ? { ...as.together(value), shape: x.shape } : value;
  }

  /** x · scale + shift, two inputs that broadcast. */
  #intervene(full: string, x: Value): Value {
    this.interventions.add(full);
    const sizes = (name: string) => x.shape.map((_, axis): Dim => `${name}.${axis}`); // any
    const part = (name: string) => this.input(name, 'f32', sizes(name));
    return { ...this.add(this.mul(x, part(`${full}.scale`)), part(`${full}.shift`)), shape: x.shape };
  }

  /** The value of a probe that this block has named before. */
  probed(name: string): Value {
    return this.named.get(this.#scope + name) as Value;
  }

  /** A quantity shown but not passed through here: built only when somebody asks for it. */
  observe(name: string, make: () => Value): void {
    const full = this.#scope + name;
    this.declared.push(full);
    if (this.request.probes.has(full)) this.output(full, make());
  }

  /** True when somebody intervenes on this name, so that a fused form must give way to the spelled-out one. */
  touched(name: string): boolean {
    return this.request.interventions.has(this.#scope + name);
  }

  wants(name: string): boolean {
    return this.request.probes.has(this.#scope + name);
  }

  /** A call reads one token of one sequence. */
  get single(): boolean {
    return this.request.single === true;
  }

  /** Queries to read at a time; null when all are read at once, since somebody looks at one of these. */
  queriesAtOnce(...seen: readonly string[]): number | null {
    return seen.some((name) => this.touched(name) || this.wants(name)) ? null : (this.request.queries ?? null);
  }

  // weights ──────────────────────────────────────────────────────────────────

  has(name: string): boolean {
    return this.stored(name) !== null;
  }

  /** The shape of a tensor as the checkpoint holds it, null when it has none. */
  stored(name: string): readonly number[] | null {
    return this.tensors.shape(this.#prefix + name);
  }

  /** A tensor of the checkpoint as f32; several names are spellings of one tensor. A [1, 1, D] tensor may stand for [D]. */
  weight(names: string | readonly string[], shape: readonly number[]): Value {
    const full = (typeof names === 'string' ? [names] : names).map((name) => this.#prefix + name);
    const name = full.find((candidate) => this.tensors.shape(candidate) !== null);
    if (name === undefined) throw weightMissing(full);
    const stored = this.tensors.shape(name) as readonly number[];
    const squeezed = (s: readonly number[]) => s.filter((d) => d !== 1).join();
    if (squeezed(stored) !== squeezed(shape)) throw weightShape(name, stored, shape);
    const value = { name: `w.${name}`, dtype: 'f32', shape: stored } as const;
    this.graph.weights.set(value.name, { value, tensor: name });
    return stored.join() === shape.join() ? value : this.reshape(value, ...shape);
  }

  /** Index `part` of the first axis of a tensor [n, …], which stays where it is in the file: [ … ]. */
  weightPart(name: string, part: number, shape: readonly number[]): Value {
    const full = this.#prefix + name;
    const stored = this.tensors.shape(full);
    if (stored === null) throw weightMissing([full]);
    if (stored.join() !== shape.join()) throw weightShape(full, stored, shape);
    const value = { name: `w.${full}[${part}]`, dtype: 'f32', shape: shape.slice(1) } as const;
    this.graph.weights.set(value.name, { value, tensor: full, part });
    return value;
  }

  /** A tensor outside every prefix, e.g. lm_head beside `backbone.`; null when the checkpoint has none. */
  topWeight(names: readonly string[], shape: readonly number[]): Value | null {
    if (!names.some((name) => this.tensors.shape(name) !== null)) return null;
    return this.atTop(() => this.weight(names, shape));
  }

  /** A linear layer outside every prefix, as wide as it is stored: the head of a task. Null when the checkpoint has none. */
  topLinear(x: Value, name: string): Value | null {
    const out = this.tensors.shape(`${name}.weight`)?.[0];
    return out === undefined ? null : this.atTop(() => this.linear(x, name, out));
  }

  /** Runs `build` with weights outside every prefix. */
  atTop<R>(build: () => R): R {
    const prefix = this.#prefix;
    this.#prefix = '';
    try {
      return build();
    } finally {
      this.#prefix = prefix;
    }
  }

  /** y = x Wᵀ + b with W stored [out, in]: `name`.weight, and `name`.bias when the checkpoint has it. */
  linear(x: Value, name: string, outSize: number): Value {
    const y = this.matmul(x, this.weight(`${name}.weight`, [outSize, x.shape.at(-1) as number]), { transB: true });
    return this.has(`${name}.bias`) ? this.add(y, this.weight(`${name}.bias`, [outSize])) : y;
  }

  // state ────────────────────────────────────────────────────────────────────

  /** Rows of a kv state before this call, [B,K,C,E] (or [B,C,E] when no heads are declared), left-aligned; only the first `kept` are valid. */
  kvPast(spec: StateSpec): Value {
    const shape = spec.shape.map((size) => (size === 'S' ? rowsDim(spec.keeps) : size));
    return this.input(`${this.#scope}state.${spec.name}.past`, 'f32', ['B', ...shape]);
  }

  /** How many rows of a kv state are valid, i64 [1]: one for all states of a segment that are kept alike, so that their masks are one too. */
  kept(spec: StateSpec): Value {
    return this.memo(`kept.${rowsDim(spec.keeps)}`, () => this.input(`${this.#scope}state.${spec.name}.kept`, 'i64', [1]));
  }

  statePast(spec: StateSpec): Value {
    return this.input(`${this.#scope}state.${spec.name}.past`, 'f32', ['B', ...(spec.shape as number[])]);
  }

  /** The same for a state whose value before the first token is learned: `initial`, without batch. */
  learnedPast(spec: StateSpec, initial: Value): Value {
    this.observe(`state.${spec.name}.initial`, () => this.op('Identity', [initial], initial.shape));
    const first = this.memo('first token', () => this.equal(this.past, this.constant(new BigInt64Array(1), [1]))); // [1]
    return this.where(first, initial, this.statePast(spec));
  }

  /** New rows [B,K,T,E] (or [B,T,E]) of a kv state, or the state after the last token [B, …] of any other. */
  stateNew(name: string, value: Value): void {
    this.output(`${this.#scope}state.${name}.new`, value);
  }

  /** State after every token, [B,T, …], when somebody asks for the probe `state.NAME`. */
  stateEvery(name: string, make: () => Value): void {
    this.observe(`state.${name}`, make);
  }

  // carries ──────────────────────────────────────────────────────────────────

  /** A value that a later block reads beside the residual stream, e.g. RWKV-7's v_first. */
  setCarry(name: string, value: Value): void {
    this.#memo.set(`carry.${name}`, value);
    this.output(`carry.${name}`, value);
  }

  carry(name: string, shape: readonly Dim[]): Value {
    return this.memo(`carry.${name}`, () => this.input(`carry.${name}`, 'f32', shape));
  }
}
