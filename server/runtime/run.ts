import type { SegmentSpec } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import { cut } from '../tensor/ranges.js';
import type { Tensor } from '../tensor/tensor.js';
import type { AttentionReader } from './attentionRows.js';
import type { Piece } from './compile.js';
import { f32, i64, type Program, type StateSnapshot } from './device.js';
import type { HostTensor } from './elements.js';
import { feedsOf, sinksOf } from './feeds.js';
import { FineStates } from './fineStates.js';
import { LayerAttention } from './layerAttention.js';
import type { Model } from './model.js';
import { reusable, takeOver } from './prefix.js';
import { Reads } from './reads.js';
import { recompute } from './recompute.js';
import { Rows } from './rows.js';
import type { PrefillOptions, Prefix, Sequence } from './sequence.js';
import type { LayerView, TokenRange } from './view.js';

/** Tokens of one prefill call: bounds the memory of attention scores and the distance between state snapshots. */
export const CHUNK = 256;
/** The same where every state is rows, which need no snapshots: larger matrices are multiplied 5 % faster. */
const ROWS_CHUNK = 512;
/** Behind so many tokens the masks [T,S] of so large a call would take more memory than that is worth. */
const ROWS_CHUNK_UNTIL = 4096;
/** Scores [H,·,S] in memory at a time, numbers: behind many tokens a call reads fewer new ones, so that its memory does not grow with the run. */
const SCORES = 16 << 20;
const LEAST_CHUNK = 32;
/** Tokens whose logits are computed at a time. */
const LOGITS_CHUNK = 64;
/** Layers whose keys are kept for looking at attention, where the live state does not hold them. */
const ATTENTION_LAYERS = 4;

export const outOfVocabulary = (id: number, vocab: number) =>
  new LabError({
    code: 'TOKEN_INVALID',
    message: `Token id ${id} is not in 0…${vocab - 1}.`,
    hint: 'Check --ids, or whether the tokenizer belongs to this model.',
  });

const tooLong = (limit: number) =>
  new LabError({
    code: 'CONTEXT_FULL',
    message: `This model has positions for ${limit} tokens and no more.`,
    hint: 'Shorten the prompt, or generate fewer tokens.',
  });

export const emptyPrompt = () =>
  new LabError({ code: 'PROMPT_EMPTY', message: 'There is no token to run.', hint: 'Write a prompt.' });

let runs = 0;

/**
 * One sequence through a model. Keeps the residual stream that enters each block (and leaves the last), carries, and snapshots of recurrent
 * state every CHUNK tokens; with them any probe of any block is recomputed by a one-block segment. Live state stays on the device.
 */
export class Run implements Sequence {
  readonly key = `run${++runs}/`;
  readonly ids: number[] = [];
  /** resid[i] enters block i; resid[L] leaves the last. [T,D] each. */
  readonly resid: readonly Rows[];
  readonly carries = new Map<string, Rows>();
  readonly snapshots: { readonly at: number; readonly states: StateSnapshot }[] = [];
  /** States of single layers between the snapshots, where somebody looked. */
  readonly fine = new FineStates();
  /** Which tokens were read together. */
  readonly reads = new Reads();
  readonly #recurrent: readonly string[];
  /** Tokens that the state holds: all of `ids`, but for a run that was dropped. */
  #done = 0;
  readonly #attention = new Map<number, LayerAttention>();

  private constructor(readonly model: Model) {
    const { layers, dModel } = model.bound.config;
    this.resid = Array.from({ length: layers + 1 }, () => new Rows(dModel));
    for (const [name, width] of Object.entries(model.bound.architecture.carries?.(model.bound.config) ?? {}))
      this.carries.set(`carry.${name}`, new Rows(width));
    this.#recurrent = model.layers.flatMap((l) =>
      l.state.filter((s) => s.kind !== 'kv').map((s) => this.stateName(l.index, s.name)),
    );
  }

  /** An empty run, or one that begins with as many of the first tokens of another as can be taken over. */
  static async create(model: Model, prefix?: Prefix): Promise<Run> {
    const run = new Run(model);
    await run.#allocate();
    const from = prefix?.of;
    if (!(from instanceof Run) || from.model !== model) return run;
    const tokens = reusable(from, Math.min(prefix?.tokens ?? 0, from.ids.length), prefix?.reach ?? 0);
    if (tokens > 0) await takeOver(run, from, tokens);
    for (const id of from.ids.slice(0, tokens)) run.ids.push(id); // more than a call takes arguments
    run.#done = tokens;
    return run;
  }

  async #allocate(): Promise<void> {
    const { architecture, config } = this.model.bound;
    const specs = this.model.layers.flatMap((l) =>
      architecture.state(config, l.index).map((spec) => [this.stateName(l.index, spec.name), spec] as const),
    );
    await this.model.device.allocate(Object.fromEntries(specs));
  }

  stateName = (block: number, state: string): string => `${this.key}blocks.${block}.state.${state}`;

  get layers(): Model['layers'] {
    return this.model.layers;
  }

  get vocab(): number {
    return this.model.bound.config.vocab;
  }

  get recurrent(): boolean {
    return this.#recurrent.length > 0;
  }

  /** Bytes held on this side: checkpoints and snapshots. */
  get bytes(): number {
    const snapshots = this.snapshots.flatMap((s) => [...s.states.values()]).reduce((n, t) => n + t.data.byteLength, 0);
    return [...this.resid, ...this.carries.values()].reduce((n, rows) => n + rows.bytes, snapshots + this.fine.bytes);
  }

  /** Runs tokens through all blocks, in chunks. A cancelled prefill leaves whole chunks behind and nothing else. Errors: CANCELLED, TOKEN_INVALID. */
  async prefill(ids: readonly number[], options: PrefillOptions = {}): Promise<void> {
    this.#check(ids);
    this.reads.add(this.ids.length, this.ids.length + ids.length);
    await this.#read(ids, options);
  }

  /** Tokens of the calls that read `count` more: they end at multiples of CHUNK, wherever the first begins, so that snapshots are that far apart. */
  #calls(count: number): number[] {
    const heads = Math.max(1, ...this.layers.map(({ attention }) => attention?.heads ?? 0));
    const { queries } = this.model;
    const calls: number[] = [];
    for (let at = this.#done; at < this.#done + count; at += calls.at(-1) as number) {
      const chunk = this.recurrent || queries === null || at >= ROWS_CHUNK_UNTIL ? CHUNK : ROWS_CHUNK;
      const fitting = Math.floor(SCORES / (heads * (at + CHUNK)) / LEAST_CHUNK) * LEAST_CHUNK;
      const most = fitting >= (queries ?? CHUNK) ? chunk : Math.min(CHUNK, Math.max(LEAST_CHUNK, fitting));
      calls.push(Math.min(most, chunk - (at % chunk), this.#done + count - at));
    }
    return calls;
  }

  async #read(ids: readonly number[], options: PrefillOptions): Promise<void> {
    const steps = this.model.pieces.length - 1;
    let at = 0;
    for (const length of this.#calls(ids.length)) {
      const part = ids.slice(at, at + length);
      const onStep = (done: number) => options.onProgress?.(at + Math.floor((length * done) / steps), ids.length);
      const returned = await this.model.device.run(this.#program(part, false), {
        ...(options.signal && { signal: options.signal }),
        onStep,
      });
      await this.#record(part, returned);
      at += length;
    }
  }

  get dropped(): boolean {
    return this.#done < this.ids.length;
  }

  async drop(): Promise<void> {
    this.#done = 0;
    for (const rows of [...this.resid, ...this.carries.values()]) rows.clear();
    this.snapshots.length = 0;
    this.fine.clear();
    this.#attention.clear();
    await this.model.device.free(this.key);
  }

  async restore(options: PrefillOptions = {}): Promise<void> {
    if (!this.dropped) return;
    await this.#allocate();
    const { ids } = this;
    try {
      for (const { from, to } of this.alike({ from: 0, to: ids.length })) {
        const onProgress = (done: number) => options.onProgress?.(from + done, ids.length);
        if (!this.model.readsInBytes || this.reads.all({ from, to }))
          await this.#read(ids.slice(from, to), { ...options, onProgress });
        else for (let at = from; at < to; at++) await this.#step(ids[at] as number, options.signal);
      }
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  /** One more token; returns the logits [V] after it. */
  async decode(id: number, signal?: AbortSignal): Promise<Float32Array> {
    this.#check([id]);
    return this.#step(id, signal);
  }

  async #step(id: number, signal?: AbortSignal): Promise<Float32Array> {
    const returned = await this.model.device.run(this.#program([id], true), signal ? { signal } : {});
    await this.#record([id], returned);
    return (returned.logits as HostTensor).data as Float32Array;
  }

  /** Logits [to−from, V] from the last residual checkpoint. */
  async logits({ from, to }: TokenRange, signal?: AbortSignal): Promise<Float32Array> {
    const head = this.model.pieces.at(-1) as Piece;
    const { dModel } = this.model.bound.config;
    const resid = f32([1, to - from, dModel], (this.resid.at(-1) as Rows).slice(from, to));
    const feeds = feedsOf(head.graph, () => ({ kind: 'tensor', tensor: resid }));
    const sinks = { logits: [{ kind: 'return', name: 'logits' }] } as const;
    const out = await this.model.device.run([{ session: head.session, feeds, sinks }], signal ? { signal } : {});
    return (out.logits as HostTensor).data as Float32Array;
  }

  /** Logits of all tokens, a few rows at a time: `visit` gets the row of token `t`. */
  async eachLogits(
    { from, to }: TokenRange,
    visit: (t: number, logits: Float32Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const { vocab } = this.model.bound.config;
    for (let start = from; start < to; start += LOGITS_CHUNK) {
      const end = Math.min(start + LOGITS_CHUNK, to);
      const rows = await this.logits({ from: start, to: end }, signal);
      for (let t = start; t < end; t++) visit(t, rows.subarray((t - start) * vocab, (t - start + 1) * vocab));
    }
  }

  /** See RunView.probes. */
  probes(
    names: readonly string[],
    options: { readonly range?: TokenRange; readonly signal?: AbortSignal } = {},
  ): Promise<ReadonlyMap<string, Tensor>> {
    return recompute(this, names, options.range ?? { from: 0, to: this.ids.length }, options.signal);
  }

  async stateBytes(layer?: number): Promise<number> {
    const { device } = this.model;
    if (layer === undefined) return device.stateBytes(this.key);
    const bytes = await Promise.all(this.model.rowStates(layer).map((state) => device.stateBytes(this.stateName(layer, state))));
    return bytes.reduce((sum, n) => sum + n, 0);
  }

  /** `Model.inspection` for these tokens: as a prompt was read when all of them were. */
  inspection(spec: SegmentSpec, range: TokenRange): Promise<Piece> {
    return this.model.inspection(spec, this.reads.all(range));
  }

  /** Pieces of some tokens as `cut` makes them, each computed in one way. */
  alike(range: TokenRange, step = Number.POSITIVE_INFINITY): readonly TokenRange[] {
    const parts = this.model.readsInBytes ? this.reads.parts(range) : [range];
    return parts.flatMap((part) => cut(part, step));
  }

  /** See RunView.reach. */
  reach = (token: number): number => this.reads.reach(token);

  /** See RunView.attention. Keys made for it are kept for the layers looked at last. */
  attention(layer: number): AttentionReader | null {
    if (this.layers[layer]?.attention?.selects) return null;
    const reader = this.#attention.get(layer) ?? new LayerAttention(this, this.model.layers[layer] as LayerView);
    this.#attention.delete(layer);
    this.#attention.set(layer, reader);
    for (const [old, { keys, busy }] of this.#attention) {
      if (this.#attention.size <= ATTENTION_LAYERS) break;
      if (busy || old === layer) continue;
      this.#attention.delete(old);
      void keys.drop().catch(() => undefined);
    }
    return reader;
  }

  async close(): Promise<void> {
    await this.model.device.free(this.key);
  }

  #check(ids: readonly number[]): void {
    const { vocab, limit } = this.model.bound.config;
    if (ids.length === 0) throw emptyPrompt();
    if (limit && this.ids.length + ids.length > limit) throw tooLong(limit);
    for (const id of ids) if (!Number.isInteger(id) || id < 0 || id >= vocab) throw outOfVocabulary(id, vocab);
  }

  /** embed, blocks and, for decoding, head. Between them the residual stream stays on the device; copies of it are returned. */
  #program(ids: readonly number[], withHead: boolean): Program {
    const past = { kind: 'tensor', tensor: i64([1], [this.#done]) } as const;
    const tokens = { kind: 'tensor', tensor: i64([1, ids.length], ids) } as const;
    const pieces = withHead ? this.model.steps : this.model.pieces.slice(0, -1);
    return pieces.map(({ session, graph, spec }) => ({
      session,
      feeds: feedsOf(graph, (input) => {
        if (input.role === 'tokens') return tokens;
        if (input.role === 'past') return past;
        if (input.role === 'reach') return { kind: 'tensor', tensor: this.reads.tensor(this.#done, this.#done + ids.length) };
        if (input.role === 'resid') return { kind: 'register', name: 'resid' };
        if (input.role === 'carry') return { kind: 'register', name: input.carry };
        if (input.role === 'intervention' || input.role === 'given')
          throw new RangeError(`the generating chain has no ${input.role}`);
        if (input.role === 'kept') return { kind: 'rows', name: this.stateName(input.block, input.state) };
        return { kind: 'state', name: this.stateName(input.block, input.state) };
      }),
      sinks: sinksOf(graph, (output) => {
        if (output.role === 'state') return [{ kind: 'state', name: this.stateName(output.block, output.state) }];
        const returned = { kind: 'return', name: output.role === 'resid' ? `resid.${spec.to}` : output.name } as const;
        if (output.role === 'logits' || output.role === 'probe') return [returned];
        const register = { kind: 'register', name: output.name } as const;
        return this.model.capture || spec.to === this.model.layers.length ? [register, returned] : [register];
      }),
    }));
  }

  async #record(ids: readonly number[], returned: Record<string, HostTensor>): Promise<void> {
    for (const [name, tensor] of Object.entries(returned)) {
      const resid = /^resid\.(\d+)$|^blocks\.(\d+)\.resid_pre$/.exec(name);
      const rows = resid ? this.resid[Number(resid[1] ?? resid[2])] : this.carries.get(name);
      rows?.append(tensor.data as Float32Array);
    }
    const before = this.#done;
    this.#done += ids.length;
    if (this.#done > this.ids.length) this.ids.push(...ids);
    if (this.recurrent && Math.floor(before / CHUNK) !== Math.floor(this.#done / CHUNK))
      this.snapshots.push({ at: this.#done, states: await this.model.device.read(this.#recurrent) });
  }
}
