import { freemem } from 'node:os';
import { tellingTensors } from '../architectures/inferred/telling.js';
import { bindArchitecture, isNamed } from '../architectures/registry.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { readTensors } from '../formats/read.js';
import { ROPE_TENSORS } from '../graph/blocks/rope.js';
import { emitOnnx, noWeights } from '../graph/emit.js';
import type { Graph } from '../graph/ir.js';
import {
  type BoundArchitecture,
  type BoundStack,
  buildSegment,
  listProbes,
  type Segment,
  type SegmentSpec,
} from '../graph/segment.js';
import type { TensorTable } from '../graph/segmentBuilder.js';
import { weightUses } from '../graph/uses.js';
import { assertSound } from '../graph/verify.js';
import { cancelled, LabError } from '../protocol/errors.js';
import type { RunDtype } from '../protocol/models.js';
import { OnceByKey } from '../protocol/once.js';
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';
import { chainOf, compileChain } from './chain.js';
import { compile, type Piece, queriesAtOnce, type Workshop } from './compile.js';
import type { Compute, Device } from './device.js';
import { describeLayers } from './layers.js';
import { readsInBytes } from './multipliesBytes.js';
import { SessionCache } from './sessionCache.js';
import type { LayerView } from './view.js';
import { liesInFiles, memoryOf, planWeights, type Uses, type WeightPlan } from './weightPlan.js';
import { WeightStore } from './weights.js';

export interface ModelOptions extends Compute {
  readonly device: Device;
  /** Default: own. */
  readonly dtype?: RunDtype;
  /** Refuse models that need more; default: the memory that is free now. */
  readonly memoryLimit?: number;
  /** Blocks to a session of the generating chain; by PIECE_PARAMETERS unless a measurement wants another number. */
  readonly blocksPerPiece?: number;
  /** Queries that a block of attention reads at a time; for tests of short texts. */
  readonly queries?: number;
  /** Return the residual stream entering each block; false only to measure what that costs. */
  readonly capture?: boolean;
  /** Inspection sessions kept open. */
  readonly inspections?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the opening between two blocks, or two tensors that are decoded. */
  readonly signal?: AbortSignal;
}

export const tooLarge = (needed: number, available: number) =>
  new LabError({
    code: 'MODEL_TOO_LARGE',
    message: `This model needs about ${gigabytes(needed)} of memory and ${gigabytes(available)} are available.`,
    hint: 'Unload other models, close other programs, or open a smaller or more strongly quantised model.',
  });

export const tensorTable = (checkpoint: Checkpoint, values?: ReadonlyMap<string, Float32Array>): TensorTable => ({
  shape: (name) => checkpoint.tensors.get(name)?.shape ?? null,
  names: () => checkpoint.tensors.keys(),
  ...(values && { values }),
});

/** Binds without loading: what `inspect` and the checkpoint viewer need. Errors: CONFIG_*, ARCHITECTURE_UNKNOWN, WEIGHT_*. */
export async function bindCheckpoint(checkpoint: Checkpoint): Promise<BoundArchitecture> {
  const telling = isNamed(checkpoint.config) ? [] : tellingTensors(checkpoint.tensors.keys());
  const values = await readTensors(checkpoint, [...ROPE_TENSORS, ...telling]);
  return bindArchitecture(checkpoint.config, tensorTable(checkpoint, values));
}

export const parameterCount = (checkpoint: Checkpoint): number =>
  [...checkpoint.tensors.values()].reduce((sum, entry) => sum + sizeOf(entry.shape), 0);

/** The type that most of its weights are stored in, and what they are computed as when that is something else. */
export function dtypeLabel(checkpoint: Checkpoint, computed: RunDtype): string {
  const bytes = new Map<string, number>();
  for (const { dtype, bytes: size } of checkpoint.tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + size);
  const stored = [...bytes].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'F32';
  return computed === 'own' ? stored : `${stored} as ${computed}`;
}

/** Every use of every weight by any segment, whatever probes it computes. */
const allUses = (bound: BoundStack, { spec, declared }: Segment): Uses =>
  weightUses(buildSegment(bound, { ...spec, probes: new Set(declared) }).graph);

/** All of a stack as one segment, which finds what is wrong before anything is read. */
const wholeOf = (bound: BoundStack): Segment =>
  buildSegment(bound, { from: 0, to: bound.config.layers, embed: true, head: true });

/** What a stack does with its weights, whatever is asked of it. */
export const stackUses = (bound: BoundStack): Uses => allUses(bound, wholeOf(bound));

/**
 * How one token is computed apart from many: rounded weights are small enough to be `packed` twice; those that lie in a file are `mapped`,
 * since one token reads them there as fast as packed. An encoder reads all its tokens at once.
 */
export type Stepping = 'packed' | 'mapped' | null;

export function steppingOf(checkpoint: Checkpoint, { architecture }: BoundStack, dtype: RunDtype, plan: WeightPlan): Stepping {
  if (!('head' in architecture)) return null;
  if (dtype === 'int8' || dtype === 'int4') return 'packed';
  return liesInFiles(checkpoint, plan) ? 'mapped' : null;
}

/** In which form weights are given to the sessions, how one token is computed, and the bytes that they then hold. */
interface Prepared {
  readonly plan: WeightPlan;
  readonly stepping: Stepping;
  readonly needed: number;
}

/**
 * Half precision is kept in fp32, or where that needs more than is available widened by each product that reads it: half as much is held, and a token takes
 * up to 1.4 times as long. The CPU can, where one token is computed apart.
 */
function prepare(
  checkpoint: Checkpoint,
  bound: BoundStack,
  uses: Uses,
  {
    dtype,
    bytes,
    provider = 'cpu',
    available,
  }: Pick<Compute, 'provider'> & Readonly<{ dtype: RunDtype; bytes: boolean; available: number }>,
): Prepared {
  const as = (halves: boolean): Prepared => {
    const plan = planWeights(checkpoint, uses, dtype, bytes, halves);
    const stepping = steppingOf(checkpoint, bound, dtype, plan);
    return { plan, stepping, needed: memoryOf(checkpoint, plan, stepping === 'packed') };
  };
  const usual = as(false);
  return usual.needed > available && provider === 'cpu' && 'head' in bound.architecture ? as(true) : usual;
}

/** Bytes the sessions of a model will hold where so many are available: its weights in the form they are computed in, packed once. */
export const memoryNeeded = (
  checkpoint: Checkpoint,
  bound: BoundStack,
  dtype: RunDtype,
  available: number,
  uses = stackUses(bound),
): number => prepare(checkpoint, bound, uses, { dtype, bytes: true, available }).needed;

/** A stack of blocks whose chain from embed to head is compiled; everything else is compiled when it is asked for. */
export class Model<B extends BoundStack = BoundArchitecture> {
  readonly layers: readonly LayerView[];
  readonly #inspections: SessionCache<Piece>;
  readonly #tools = new OnceByKey<number>();
  #probes: readonly string[] | null = null;
  #embedProbes: ReadonlySet<string> | null = null;

  private constructor(
    readonly checkpoint: Checkpoint,
    readonly bound: B,
    /** All of it as one segment, never compiled. */
    readonly whole: Segment,
    private readonly shop: Workshop,
    /** embed, groups of blocks, head: run in order they are the model. */
    readonly pieces: readonly Piece[],
    /** The same for one token; `pieces` themselves unless they are compiled apart. */
    readonly steps: readonly Piece[],
    private readonly kept: { readonly capture: boolean; readonly inspections: number | undefined },
    private readonly what: { readonly dtype: RunDtype; readonly memory: number; readonly bytes: boolean },
  ) {
    this.layers = describeLayers(bound);
    this.#inspections = new SessionCache(kept.inspections, ({ session }) => shop.device.release([session]));
  }

  get device(): Device {
    return this.shop.device;
  }

  /** What the weights are computed as. */
  get dtype(): RunDtype {
    return this.what.dtype;
  }

  /** Bytes its sessions hold, about. */
  get memory(): number {
    return this.what.memory;
  }

  /** The residual stream that enters each block is kept. */
  get capture(): boolean {
    return this.kept.capture;
  }

  /** Errors: those of binding, MODEL_TOO_LARGE, DISK_FULL, RUNTIME_FAILED, CANCELLED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<Model> {
    return Model.load(checkpoint, await bindCheckpoint(checkpoint), options);
  }

  /** The same with what was bound before. */
  static async load<B extends BoundStack>(checkpoint: Checkpoint, bound: B, options: ModelOptions): Promise<Model<B>> {
    const whole = wholeOf(bound);
    const { device, threads, provider = 'cpu', spinning = false, dtype = 'own' } = options;
    const available = options.memoryLimit ?? freemem();
    const bytes = await readsInBytes(device, dtype, provider);
    const prepared = prepare(checkpoint, bound, allUses(bound, whole), { dtype, bytes, provider, available });
    const { plan, stepping: wanted, needed } = prepared;
    if (needed > available) throw tooLarge(needed, available);
    // pages of a file that the memory has no room for would be read from the disk for every token
    const maps = provider === 'cpu' && memoryOf(checkpoint, plan, true) <= available;
    const steps = wanted === 'mapped' && !maps ? null : wanted;
    const chain = chainOf(checkpoint, bound, 'generate', options);
    const stepChain = steps ? chainOf(checkpoint, bound, 'step', options) : [];
    const total = chain.length + stepChain.length + 1;
    let done = 0;
    const goOn = () => {
      if (options.signal?.aborted) throw cancelled();
      if (done > 0) options.onProgress?.(done, total);
    };
    const weights = await WeightStore.open(checkpoint, plan, goOn);
    const compute = { threads, provider, spinning, ...(options.profile !== undefined && { profile: options.profile }) };
    const shop = { bound, weights, device, compute, queries: options.queries };
    const [pieces, stepping]: [Piece[], Piece[]] = [[], []];
    const next = () => {
      done++;
      goOn();
    };
    try {
      await compileChain(shop, chain, { for: 'generate' }, pieces, next);
      await compileChain(shop, stepChain, { for: 'step', mapped: steps === 'mapped' }, stepping, next);
      next();
    } catch (error) {
      await device.release([...pieces, ...stepping].map((piece) => piece.session));
      await weights.close();
      throw error;
    }
    const kept = { capture: options.capture ?? true, inspections: options.inspections };
    const what = { dtype, memory: needed, bytes };
    return new Model(checkpoint, bound, whole, shop, pieces, steps ? stepping : pieces, kept, what);
  }

  /** Queries whose scores are in memory at a time; null for all of a call. */
  get queries(): number | null {
    return this.layers.some(({ attention }) => attention?.selects) ? null : queriesAtOnce(this.provider, this.shop.queries);
  }

  get provider(): string {
    return this.shop.compute.provider ?? 'cpu';
  }

  /** States of a block that gain a row a token: k and v, or the latent; they grow together. */
  rowStates(block: number): readonly string[] {
    return (this.layers[block]?.state ?? []).filter((state) => state.kind === 'kv').map((state) => state.name);
  }

  get probes(): readonly string[] {
    this.#probes ??= listProbes(this.bound);
    return this.#probes;
  }

  /** Probes that come before the blocks: `embed`, and what it is made of. */
  get embedProbes(): ReadonlySet<string> {
    this.#embedProbes ??= new Set(buildSegment(this.bound, { from: 0, to: 0, embed: true, head: false }).declared);
    return this.#embedProbes;
  }

  /** What `work` asks of `inspection` stays open until it ends. */
  holding<R>(work: () => Promise<R>): Promise<R> {
    return this.#inspections.use(work);
  }

  /** Tokens of a prompt are multiplied in another way than those that were decoded. */
  get readsInBytes(): boolean {
    return this.what.bytes;
  }

  /**
   * A segment that computes only the outputs in `spec.probes`, or those in `spec.values`; compiled once and kept while it is in use. Run it within
   * `holding`. `read`: for tokens of a prompt.
   */
  inspection(spec: SegmentSpec, read: boolean): Promise<Piece> {
    const packed = this.dtype === 'int8' || this.dtype === 'int4';
    const many = read && this.readsInBytes;
    const key = JSON.stringify([
      many,
      spec.from,
      spec.to,
      spec.embed,
      spec.head,
      [...(spec.probes ?? [])].sort(),
      [...(spec.interventions ?? [])].sort(),
      [...(spec.values ?? [])].sort(),
      spec.leaves === true,
    ]);
    const only = spec.values ?? (spec.leaves ? undefined : spec.probes);
    return this.#inspections.get(key, () => compile(this.shop, spec, { for: 'inspect', outputs: only, packed, many }));
  }

  /** The session of a graph without weights that works on what segments give, on the CPU; made once. */
  tool(key: string, make: () => Graph): Promise<number> {
    const { threads, spinning = false } = this.shop.compute;
    return this.#tools.get(key, async () => {
      const graph = make();
      assertSound(graph);
      const model = emitOnnx(graph, { place: noWeights, weights: 'map' });
      return this.device.load(model, { threads, spinning, folder: '', prepack: true });
    });
  }

  async close(): Promise<void> {
    await this.#inspections.close();
    const sessions = [...new Set([...this.pieces, ...this.steps])].map((p) => p.session);
    await this.device.release([...sessions, ...(await this.#tools.drain())]);
    await this.shop.weights.close();
  }
}
