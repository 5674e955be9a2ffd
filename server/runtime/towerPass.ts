import type { Encoder } from '../graph/architecture.js';
import type { PatchSpec } from '../graph/blocks/patches.js';
import { VALUE_NAME } from '../graph/expose.js';
import type { Value } from '../graph/ir.js';
import type { BoundStack, SegmentSpec } from '../graph/segment.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Piece } from './compile.js';
import type { Feed, Program, Sink, Step } from './device.js';
import { f32 } from './device.js';
import { floatsOf, type HostTensor } from './elements.js';
import { feedsOf, type InputRole, sinksOf } from './feeds.js';
import type { Inside, Tensors } from './forward.js';
import type { Model } from './model.js';
import type { Intervention } from './patch.js';
import { sliceAxis } from './slices.js';
import type { LayerView, TokenRange } from './view.js';

const tensor = (value: HostTensor): Feed => ({ kind: 'tensor', tensor: value });

interface Computed {
  /** With its symbolic shape. */
  readonly value: Value;
  readonly tensor: HostTensor;
}

/** Without the batch, and of some tokens only where it has tokens. */
function ofRange({ value, tensor }: Computed, range: TokenRange | undefined): Tensor {
  const whole = { shape: tensor.dims.slice(1), data: floatsOf(tensor) };
  const axis = value.shape.slice(1).indexOf('T');
  return range && axis >= 0 ? sliceAxis(whole, axis, range.from, range.to) : whole;
}

/**
 * One pass through a stack without state. Keeps the residual stream that enters each block and leaves the last, so that any probe of any block is
 * computed again by a one-block segment. Everything is [B, …].
 */
export class TowerPass implements Inside {
  /** What enters block i; the last leaves the last block. Empty before the first pass. */
  readonly #resid: HostTensor[] = [];
  #outputs: Tensors | null = null;
  #running: Promise<Tensors> | null = null;

  constructor(
    readonly model: Model<BoundStack>,
    /** Every input the stack reads, by name. */
    readonly given: Tensors,
  ) {}

  /** Bytes of the residual checkpoints. */
  get bytes(): number {
    return this.#resid.reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  get layers(): readonly LayerView[] {
    return this.model.layers;
  }

  get patchSides(): Inside['patchSides'] {
    const { patch } = this.model.bound.config as Partial<PatchSpec>;
    return patch ?? null;
  }

  labels(patches: number): ReturnType<Inside['labels']> {
    return (this.model.bound.architecture as Encoder).tokens?.(this.model.bound.config, patches) ?? null;
  }

  async tokens(signal?: AbortSignal): Promise<number> {
    await this.outputs(signal);
    return this.#resid[0]?.dims[1] as number;
  }

  /** A block of an encoder sees every token, so that all are computed and those of the range are kept. */
  probes: Inside['probes'] = async (names, { range, signal } = {}) => {
    const all = await this.#compute(names, signal);
    return new Map(names.map((name) => [name, ofRange(all.get(name) as Computed, range)]));
  };

  /** What the stack says, by name; computed once. Errors: CANCELLED, RUNTIME_FAILED. */
  async outputs(signal?: AbortSignal): Promise<Tensors> {
    if (this.#outputs) return this.#outputs;
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = null;
    });
    this.#outputs = await this.#running;
    return this.#outputs;
  }

  /** Probes by name, [B, …]. Errors: PROBE_UNKNOWN, CANCELLED, RUNTIME_FAILED. */
  async read(names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    return new Map([...(await this.#compute(names, signal))].map(([name, { tensor }]) => [name, tensor]));
  }

  /** One segment run for each block that has some of them, and one for values by the graph's own names. */
  #compute(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Computed>> {
    return this.model.holding(() => this.#computed(names, signal));
  }

  async #computed(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Computed>> {
    await this.outputs(signal);
    const groups = new Map<string, { readonly place: number; readonly names: string[] }>();
    for (const name of names) {
      const place = this.#placeOf(name);
      const key = `${place} ${VALUE_NAME.test(name)}`;
      groups.set(key, { place, names: [...(groups.get(key)?.names ?? []), name] });
    }
    const result = new Map<string, Computed>();
    for (const { place, names } of groups.values()) {
      const [first] = names as [string];
      const asked = new Set(names);
      const piece = await this.#inspect(place, VALUE_NAME.test(first) ? { values: asked } : { probes: asked });
      const [feeds, sinks] = [feedsOf(piece.graph, (input) => this.#feed(piece, input, [])), returnAll(piece)];
      const out = await this.model.device.run([{ session: piece.session, feeds, sinks }], signal && { signal });
      for (const [name, value] of piece.graph.outputs) result.set(name, { value, tensor: out[name] as HostTensor });
    }
    return result;
  }

  /** What the stack says with some probes changed, from the first touched block on. Errors: PROBE_UNKNOWN, CANCELLED. */
  patch(changes: readonly Intervention[], signal?: AbortSignal): Promise<Tensors> {
    return this.model.holding(() => this.#patched(changes, signal));
  }

  async #patched(changes: readonly Intervention[], signal?: AbortSignal): Promise<Tensors> {
    await this.outputs(signal);
    const L = this.model.layers.length;
    const places = changes.map(({ probe }) => this.#placeOf(probe));
    const touched = (place: number) => new Set(changes.filter((_, i) => places[i] === place).map(({ probe }) => probe));
    const program: Step[] = [];
    for (let place = Math.min(L, ...places); place <= L; place++) {
      const probes =
        place === L ? this.model.pieces.at(-1)?.graph.outputs.keys() : [place < 0 ? 'embed' : `blocks.${place}.resid_post`];
      const piece = await this.#inspect(place, { probes: new Set(probes), interventions: touched(place) });
      const feeds = feedsOf(piece.graph, (input) =>
        input.role === 'resid' && program.length > 0 ? { kind: 'register', name: 'resid' } : this.#feed(piece, input, changes),
      );
      const sinks = [...piece.graph.outputs.keys()].map((name): [string, readonly Sink[]] => [
        name,
        [place === L ? { kind: 'return', name } : { kind: 'register', name: 'resid' }],
      ]);
      program.push({ session: piece.session, feeds, sinks: Object.fromEntries(sinks) });
    }
    return new Map(Object.entries(await this.model.device.run(program, signal && { signal })));
  }

  async #run(signal?: AbortSignal): Promise<Tensors> {
    const returned = new Map(Object.entries(await this.model.device.run(this.#program(), signal && { signal })));
    for (const [name, value] of returned) {
      const resid = /^resid\.(\d+)$|^blocks\.(\d+)\.resid_pre$/.exec(name);
      if (!resid) continue;
      this.#resid[Number(resid[1] ?? resid[2])] = value;
      returned.delete(name);
    }
    return returned;
  }

  #program(): Program {
    const { pieces } = this.model;
    return pieces.map((piece) => ({
      session: piece.session,
      feeds: feedsOf(piece.graph, (input) =>
        input.role === 'resid' ? { kind: 'register', name: 'resid' } : this.#feed(piece, input, []),
      ),
      sinks: sinksOf(piece.graph, (output) => {
        if (output.role === 'resid')
          return [
            { kind: 'register', name: 'resid' },
            { kind: 'return', name: `resid.${piece.spec.to}` },
          ];
        if (output.role === 'state') throw new RangeError('an encoder keeps no state');
        return [{ kind: 'return', name: output.name }];
      }),
    }));
  }

  /** −1 for the embedding, L for the head. */
  #placeOf(name: string): number {
    const block = /^blocks\.(\d+)\./.exec(name)?.[1];
    if (block !== undefined) return Number(block);
    return this.model.embedProbes.has(name) || name.startsWith('embed.#') ? -1 : this.model.layers.length;
  }

  #inspect(place: number, asked: Partial<SegmentSpec>): Promise<Piece> {
    const L = this.model.layers.length;
    const at = Math.min(Math.max(place, 0), L);
    const inner = place >= 0 && place < L;
    const spec = { from: at, to: inner ? at + 1 : at, embed: place < 0, head: place >= L, ...asked };
    return this.model.inspection(spec, true);
  }

  #feed(piece: Piece, input: InputRole, changes: readonly Intervention[]): Feed {
    if (input.role === 'given') return tensor(this.given.get(input.name) as HostTensor);
    if (input.role === 'resid') return tensor(this.#resid[piece.spec.from] as HostTensor);
    if (input.role !== 'intervention') throw new RangeError(`an encoder has no input ${input.role}`);
    const change = changes.find(({ probe }) => probe === input.probe) as Intervention;
    const { shape, data } = change[input.part];
    return tensor(f32([1, ...shape], data));
  }
}

const returnAll = (piece: Piece): Readonly<Record<string, readonly Sink[]>> =>
  Object.fromEntries([...piece.graph.outputs.keys()].map((name) => [name, [{ kind: 'return', name } as const]]));
