import { cancelled } from '../../protocol/errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Program, Sink } from '../device.js';
import { f32 } from '../device.js';
import { convert, elementOf, floatsOf, type HostTensor } from '../elements.js';
import { Rows } from '../rows.js';
import { emptyPrompt, outOfVocabulary } from '../run.js';
import type { PrefillOptions, Sequence } from '../sequence.js';
import type { TokenRange } from '../view.js';
import { feedsOf } from './call.js';
import { readProbes } from './recompute.js';
import type { OnnxSequenceModel } from './sequenceModel.js';
import { emptyState } from './tokenFeeds.js';

/** Tokens of one call while the prompt is read. */
const CHUNK = 256;
const LOGITS_CHUNK = 64;
let sequences = 0;

/** One sequence through an ONNX graph. Keeps the values of its bottlenecks, from which every other value of a block is computed again. */
export class OnnxSequence implements Sequence {
  readonly key = `onnx${++sequences}/`;
  readonly ids: number[] = [];
  /** By the name of the value. */
  readonly kept = new Map<string, Rows>();
  /** Tokens that the state holds: all of `ids`, but for a sequence that was dropped. */
  #done = 0;

  private constructor(readonly model: OnnxSequenceModel) {}

  static async create(model: OnnxSequenceModel): Promise<OnnxSequence> {
    const sequence = new OnnxSequence(model);
    await sequence.#reset();
    return sequence;
  }

  get layers() {
    return this.model.layers;
  }
  get vocab() {
    return this.model.vocab;
  }
  get bytes(): number {
    return [...this.kept.values()].reduce((sum, rows) => sum + rows.bytes, 0);
  }

  async prefill(ids: readonly number[], { signal, onProgress }: PrefillOptions = {}): Promise<void> {
    this.#check(ids);
    await this.#read(ids, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
  }

  async #read(ids: readonly number[], { signal, onProgress }: PrefillOptions): Promise<void> {
    const step = this.#cached ? CHUNK : ids.length;
    for (let from = 0; from < ids.length; from += step) {
      if (signal?.aborted) throw cancelled();
      await this.#run(ids.slice(from, from + step), false, signal);
      onProgress?.(Math.min(from + step, ids.length), ids.length);
    }
  }

  async decode(id: number, signal?: AbortSignal): Promise<Float32Array> {
    this.#check([id]);
    const logits = await this.#run([id], true, signal);
    return logits.slice(logits.length - this.vocab);
  }

  async logits({ from, to }: TokenRange, signal?: AbortSignal): Promise<Float32Array> {
    const { chain, tokens, device, graph } = this.model;
    if (!chain.head || !graph.head) return (this.kept.get(tokens.logits) as Rows).slice(from, to);
    const feeds = feedsOf(this.model, chain.head, this.ids, { from, to }, (name) => ({
      kind: 'tensor',
      tensor: this.given(name, { from, to }),
    }));
    const sinks = { [chain.head.outputs.get(tokens.logits) as string]: [{ kind: 'return', name: 'logits' }] } as const;
    const out = await device.run([{ session: chain.head.session, feeds, sinks }], signal ? { signal } : {});
    return floatsOf(out.logits as HostTensor);
  }

  async eachLogits(
    { from, to }: TokenRange,
    visit: (t: number, logits: Float32Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    for (let start = from; start < to; start += LOGITS_CHUNK) {
      const end = Math.min(start + LOGITS_CHUNK, to);
      const rows = await this.logits({ from: start, to: end }, signal);
      for (let t = start; t < end; t++) visit(t, rows.subarray((t - start) * this.vocab, (t - start + 1) * this.vocab));
    }
  }

  probes(
    names: readonly string[],
    { range = { from: 0, to: this.ids.length }, signal }: { readonly range?: TokenRange; readonly signal?: AbortSignal } = {},
  ): Promise<ReadonlyMap<string, Tensor>> {
    return readProbes(this, names, range, signal);
  }

  /** Rows of a kept value as the graph takes it. */
  given(name: string, { from, to }: TokenRange): HostTensor {
    const rows = this.kept.get(name) as Rows;
    const dims = (this.model.measured.kept.get(name) as readonly number[]).map((size) => size || to - from);
    const type = elementOf(this.model.inspections.probes.types.get(name) ?? 'F32') ?? 'float32';
    return convert(f32(dims, rows.slice(from, to)), type) as HostTensor;
  }

  stateName = (input: string): string => this.key + input;

  async stateBytes(layer?: number): Promise<number> {
    const { device, graph } = this.model;
    if (layer === undefined) return device.stateBytes(this.key);
    const { k, v } = graph.blocks[layer]?.cache ?? { k: null, v: null };
    const bytes = await Promise.all([k, v].flatMap((state) => (state ? [device.stateBytes(this.stateName(state.input))] : [])));
    return bytes.reduce((sum, n) => sum + n, 0);
  }

  get dropped(): boolean {
    return this.#done < this.ids.length;
  }

  async drop(): Promise<void> {
    this.#done = 0;
    this.kept.clear();
    await this.model.device.free(this.key);
  }

  async restore(options: PrefillOptions = {}): Promise<void> {
    if (!this.dropped) return;
    await this.#reset();
    try {
      await this.#read(this.ids.slice(this.#done), options);
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.model.device.free(this.key);
  }

  /** Whether a call goes on where the last one ended; a graph without state reads everything again. */
  get #cached(): boolean {
    return this.model.tokens.states.length > 0;
  }

  async #reset(): Promise<void> {
    const states = this.model.tokens.states.map((state) => [this.stateName(state.input), emptyState(state)] as const);
    await this.model.device.allocate(Object.fromEntries(states));
  }

  #check(ids: readonly number[]): void {
    if (ids.length === 0) throw emptyPrompt();
    for (const id of ids) if (!Number.isInteger(id) || id < 0 || id >= this.vocab) throw outOfVocabulary(id, this.vocab);
  }

  /** Tokens through the graph; returns the logits when they are asked for. */
  async #run(fresh: readonly number[], withLogits: boolean, signal?: AbortSignal): Promise<Float32Array> {
    const { chain, device, tokens } = this.model;
    const ids = [...this.ids.slice(0, this.#done), ...fresh];
    const span = { from: this.#cached ? this.#done : 0, to: ids.length };
    const body = feedsOf(this.model, chain.body, ids, span, (name) => ({ kind: 'state', name: this.stateName(name) }));
    const program: Program = [
      { session: chain.body.session, feeds: body, sinks: this.#sinks() },
      ...(withLogits && chain.head
        ? [
            {
              session: chain.head.session,
              feeds: feedsOf(this.model, chain.head, ids, span, (name) => ({ kind: 'register', name })),
              sinks: { [chain.head.outputs.get(tokens.logits) as string]: [{ kind: 'return', name: tokens.logits } as const] },
            },
          ]
        : []),
    ];
    const out = await device.run(program, signal ? { signal } : {});
    for (const name of [...chain.kept, ...(chain.head ? [] : [tokens.logits])]) this.#keep(name, out[name] as HostTensor);
    this.#done = ids.length;
    if (this.#done > this.ids.length) this.ids.push(...fresh);
    return withLogits ? floatsOf(out[tokens.logits] as HostTensor) : new Float32Array();
  }

  #keep(name: string, tensor: HostTensor): void {
    const sizes = this.model.measured.kept.get(name) ?? tensor.dims.slice(-1);
    const width = sizes.reduce((n, size) => n * (size || 1), 1);
    const rows = this.#cached ? (this.kept.get(name) ?? new Rows(width)) : new Rows(width);
    rows.append(floatsOf(tensor));
    this.kept.set(name, rows);
  }

  #sinks(): Record<string, readonly Sink[]> {
    const { chain, tokens } = this.model;
    const states = new Map(tokens.states.map(({ input, output }) => [output, input]));
    const sinks = (name: string): Sink[] => {
      const state = states.get(name);
      const into: Sink[] = state === undefined ? [] : [{ kind: 'state', name: this.stateName(state) }];
      const leaves = chain.kept.includes(name) || name === tokens.logits;
      return leaves ? [...into, { kind: 'return', name }, { kind: 'register', name }] : into;
    };
    return Object.fromEntries([...chain.body.outputs].map(([name, output]) => [output, sinks(name)]));
  }
}
