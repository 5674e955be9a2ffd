import { freemem } from 'node:os';
import { bindArchitecture } from '../architectures/registry.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { readTensor } from '../formats/read.js';
import { emitOnnx } from '../graph/emit.js';
import { type Graph, prune } from '../graph/ir.js';
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
import { gigabytes } from '../tensor/bytes.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Compute, Device } from './device.js';
import { outputRole } from './feeds.js';
import { describeLayers } from './layers.js';
import { dialectOf, keepsState } from './providers.js';
import type { LayerView } from './view.js';
import { memoryOf, planWeights, type Uses, type WeightPlan } from './weightPlan.js';
import { WeightStore } from './weights.js';

/** A compiled segment: its session and what goes in and out. */
export interface Piece {
  readonly session: number;
  readonly spec: SegmentSpec;
  readonly graph: Graph;
}

export interface ModelOptions extends Compute {
  readonly device: Device;
  /** Default: own. */
  readonly dtype?: RunDtype;
  /** Refuse models that need more; default: the memory that is free now. */
  readonly memoryLimit?: number;
  /** Blocks to a session of the generating chain; by PIECE_PARAMETERS unless a measurement wants another number. */
  readonly blocksPerPiece?: number;
  /** Return the residual stream entering each block; false only to measure what that costs. */
  readonly capture?: boolean;
  /** Inspection sessions kept open. */
  readonly inspections?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the opening between two blocks, or two tensors that are decoded. */
  readonly signal?: AbortSignal;
}

/**
 * A run can be cancelled between pieces. Small blocks share one up to this many parameters: a piece is never more work than one block of
 * that size (60 ms for 256 tokens on two cores), and a larger block is a piece of its own. Sessions of single small blocks would cost
 * 10–15 % of prefill, since each works in memory of its own that is cold in the cache.
 */
const PIECE_PARAMETERS = 16_000_000;

/** Inspection sessions kept open unless an option says otherwise, least recently used first out. */
const INSPECTIONS = 32;

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
  const factors = checkpoint.tensors.get('rope_freqs.weight');
  const values = factors ? new Map([['rope_freqs.weight', await readTensor(checkpoint, factors)]]) : undefined;
  return bindArchitecture(checkpoint.config, tensorTable(checkpoint, values));
}

export const parameterCount = (checkpoint: Checkpoint): number =>
  [...checkpoint.tensors.values()].reduce((sum, entry) => sum + sizeOf(entry.shape), 0);

/** Parameters of the largest block. */
function blockParameters(checkpoint: Checkpoint, { architecture, config, prefix }: BoundStack): number {
  const blocks = Array.from({ length: config.layers }, (_, i) => prefix + architecture.blockPrefix(i));
  const counts = new Map(blocks.map((block) => [block, 0]));
  for (const { name, shape } of checkpoint.tensors.values()) {
    const block = blocks.find((b) => name.startsWith(b));
    if (block !== undefined) counts.set(block, (counts.get(block) ?? 0) + sizeOf(shape));
  }
  return Math.max(1, ...counts.values());
}

/** Every use of every weight by any segment, whatever probes it computes. */
const allUses = (bound: BoundStack, { spec, declared }: Segment): Uses =>
  weightUses(buildSegment(bound, { ...spec, probes: new Set(declared) }).graph);

/** All of a stack as one segment, which finds what is wrong before anything is read. */
const wholeOf = (bound: BoundStack): Segment =>
  buildSegment(bound, { from: 0, to: bound.config.layers, embed: true, head: true });

/** How each weight of a stack is given to its sessions. */
export const weightPlan = (checkpoint: Checkpoint, bound: BoundStack): WeightPlan =>
  planWeights(checkpoint, allUses(bound, wholeOf(bound)));

/** Bytes the sessions of a model will hold: its weights in the form they are computed in, packed once. */
export const memoryNeeded = (checkpoint: Checkpoint, bound: BoundStack, dtype: RunDtype): number =>
  memoryOf(checkpoint, planWeights(checkpoint, allUses(bound, wholeOf(bound)), dtype));

/** A stack of blocks whose chain from embed to head is compiled; everything else is compiled when it is asked for. */
export class Model<B extends BoundStack = BoundArchitecture> {
  readonly layers: readonly LayerView[];
  readonly #inspections = new Map<string, Promise<Piece>>();
  #probes: readonly string[] | null = null;
  #embedProbes: ReadonlySet<string> | null = null;

  private constructor(
    readonly checkpoint: Checkpoint,
    readonly bound: B,
    /** All of it as one segment, never compiled. */
    readonly whole: Segment,
    readonly device: Device,
    private readonly weights: WeightStore,
    private readonly compute: Compute,
    /** embed, groups of blocks, head: run in order they are the model. */
    readonly pieces: readonly Piece[],
    readonly capture: boolean,
    private readonly inspections: number,
    readonly dtype: RunDtype,
    /** Bytes its sessions hold, about. */
    readonly memory: number,
  ) {
    this.layers = describeLayers(bound);
  }

  /** Errors: those of binding, MODEL_TOO_LARGE, DISK_FULL, RUNTIME_FAILED, CANCELLED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<Model> {
    return Model.load(checkpoint, await bindCheckpoint(checkpoint), options);
  }

  /** The same with what was bound before. */
  static async load<B extends BoundStack>(checkpoint: Checkpoint, bound: B, options: ModelOptions): Promise<Model<B>> {
    const { layers } = bound.config;
    const whole = wholeOf(bound);
    const plan = planWeights(checkpoint, allUses(bound, whole), options.dtype);
    const needed = memoryOf(checkpoint, plan);
    const available = options.memoryLimit ?? freemem();
    if (needed > available) throw tooLarge(needed, available);
    const size = options.blocksPerPiece ?? Math.max(1, Math.floor(PIECE_PARAMETERS / blockParameters(checkpoint, bound)));
    const groups = Array.from(
      { length: Math.ceil(layers / size) },
      (_, i) => [i * size, Math.min((i + 1) * size, layers)] as const,
    );
    const total = groups.length + 3;
    const goOn = () => {
      if (options.signal?.aborted) throw cancelled();
    };
    const weights = await WeightStore.open(checkpoint, plan, goOn);
    options.onProgress?.(1, total);
    const { threads, provider = 'cpu', spinning = false } = options;
    const compute = { threads, provider, spinning, ...(options.profile !== undefined && { profile: options.profile }) };
    const pieces: Piece[] = [];
    const add = async (spec: SegmentSpec, prepack: boolean) => {
      goOn();
      pieces.push(await compile(bound, spec, weights, options.device, compute, prepack));
      options.onProgress?.(1 + pieces.length, total);
    };
    try {
      await add({ from: 0, to: 0, embed: true, head: false }, false);
      for (const [from, to] of groups) {
        const inner =
          options.capture === false ? [] : Array.from({ length: to - from - 1 }, (_, i) => `blocks.${from + 1 + i}.resid_pre`);
        await add({ from, to, embed: false, head: false, probes: new Set(inner) }, true);
      }
      await add({ from: layers, to: layers, embed: false, head: true }, true);
      goOn();
    } catch (error) {
      await options.device.release(pieces.map((piece) => piece.session));
      await weights.close();
      throw error;
    }
    return new Model(
      checkpoint,
      bound,
      whole,
      options.device,
      weights,
      compute,
      pieces,
      options.capture ?? true,
      options.inspections ?? INSPECTIONS,
      options.dtype ?? 'own',
      needed,
    );
  }

  get provider(): string {
    return this.compute.provider ?? 'cpu';
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

  /** A segment that computes only the outputs in `spec.probes`, or those in `spec.values`; compiled once and kept while it is in use. */
  async inspection(spec: SegmentSpec): Promise<Piece> {
    const key = JSON.stringify([
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
    const piece = this.#inspections.get(key) ?? compile(this.bound, spec, this.weights, this.device, this.compute, false, only);
    this.#inspections.delete(key);
    this.#inspections.set(key, piece);
    piece.catch(() => this.#inspections.delete(key));
    for (const [old, oldest] of this.#inspections) {
      if (this.#inspections.size <= this.inspections) break;
      this.#inspections.delete(old);
      void oldest.then(({ session }) => this.device.release([session])).catch(() => undefined);
    }
    return piece;
  }

  async close(): Promise<void> {
    const inspections = await Promise.allSettled(this.#inspections.values());
    const sessions = [...this.pieces, ...inspections.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []))].map(
      (p) => p.session,
    );
    await this.device.release(sessions);
    await this.weights.close();
  }
}

async function compile(
  bound: BoundStack,
  spec: SegmentSpec,
  weights: WeightStore,
  device: Device,
  compute: Compute,
  prepack: boolean,
  only?: ReadonlySet<string>,
): Promise<Piece> {
  const built = buildSegment(bound, spec).graph;
  const graph = spec.leaves ? prune(built, replacedStates(built)) : only ? prune(built, [...only]) : built;
  assertSound(graph);
  const dialect = dialectOf(compute.provider ?? 'cpu');
  const model = emitOnnx(graph, { place: weights.place, weights: prepack ? 'prepack' : 'map', dialect });
  const resident = !spec.leaves && keepsState(compute.provider ?? 'cpu') ? replacedStates(graph) : [];
  return { session: await device.load(model, { ...compute, folder: weights.folder, prepack, resident }), spec, graph };
}

/** Outputs that replace a state whole: what goes in has a fixed size. Rows of a kv state are appended in this process. */
const replacedStates = (graph: Graph): string[] =>
  [...graph.outputs.keys()].filter((name) => {
    const past = graph.inputs.find((input) => input.name === name.replace(/\.new$/, '.past'));
    return outputRole(name).role === 'state' && past?.shape.slice(1).every((d) => typeof d === 'number');
  });
