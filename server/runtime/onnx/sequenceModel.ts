import { freemem } from 'node:os';
import { type Checkpoint, tensorBytes } from '../../formats/checkpoint.js';
import { type GraphBlocks, graphBlocks } from '../../graph/onnx/blocks.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import { OnnxProbes } from '../../graph/onnx/probes.js';
import { type TokenGraph, tokenGraphOf } from '../../graph/onnx/tokenGraph.js';
import type { Device } from '../device.js';
import { type ModelOptions, tooLarge } from '../model.js';
import type { SequenceModel } from '../sequence.js';
import { readDocument } from './document.js';
import { type GraphLayer, measure } from './measure.js';
import { aliases } from './names.js';
import { placesOf } from './places.js';
import { OnnxSequence } from './sequence.js';
import { type GraphSession, GraphSessions } from './sessions.js';

/** What a run of the whole graph is made of: everything but the head, and the head. */
export interface Chain {
  readonly body: GraphSession;
  /** From the values of the last bottleneck; null where the graph has none and its logits leave the body. */
  readonly head: GraphSession | null;
  /** Values kept of a run, by which anything behind them is computed again: those of the bottleneck before each block, and the last. */
  readonly kept: readonly string[];
}

/** What two tokens through the graph showed. */
export interface Measured {
  readonly vocab: number;
  readonly dModel: number;
  readonly layers: readonly GraphLayer[];
  /** The blocks that turned out to be such. */
  readonly graph: GraphBlocks;
  /** By the name of a kept value: its sizes, 0 for the tokens. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
  /** Whether a token changes nothing of those before it. */
  readonly causal: boolean;
}

/** A graph of tokens with the sessions that run it. */
export interface Compiled {
  readonly checkpoint: Checkpoint;
  readonly document: OnnxDocument;
  readonly tokens: TokenGraph;
  readonly graph: GraphBlocks;
  readonly device: Device;
  readonly provider: string;
  readonly chain: Chain;
  readonly generating: GraphSessions;
  /** Sessions of single blocks, over the mapped file. */
  readonly inspections: GraphSessions;
}

/** A language model that is an ONNX graph: tokens in, logits out, what one call leaves to the next wired to it. */
export class OnnxSequenceModel implements SequenceModel {
  readonly family = 'onnx';
  readonly dtype = 'own';
  readonly graph: GraphBlocks;
  readonly chain: Chain;
  readonly tokens: TokenGraph;
  readonly document: OnnxDocument;
  readonly device: Device;
  readonly inspections: GraphSessions;

  private constructor(
    private readonly compiled: Compiled,
    readonly measured: Measured,
  ) {
    this.graph = measured.graph;
    ({
      chain: this.chain,
      tokens: this.tokens,
      document: this.document,
      device: this.device,
      inspections: this.inspections,
    } = compiled);
  }

  /** Null for a graph that is no language model. Errors: ONNX_INVALID, MODEL_TOO_LARGE, RUNTIME_FAILED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<OnnxSequenceModel | null> {
    const document = await readDocument(checkpoint);
    const tokens = tokenGraphOf(document);
    if ('reason' in tokens) return null;
    const needed = graphMemory(checkpoint);
    const available = options.memoryLimit ?? freemem();
    if (needed > available) throw tooLarge(needed, available);
    const compiled = await compile(checkpoint, document, tokens, options);
    options.onProgress?.(1, 2);
    try {
      const measured = await measure(compiled);
      options.onProgress?.(2, 2);
      if (measured.causal) return new OnnxSequenceModel(compiled, measured);
    } catch (error) {
      await closeSessions(compiled);
      throw error;
    }
    await closeSessions(compiled);
    return null;
  }

  get checkpoint() {
    return this.compiled.checkpoint;
  }
  get provider() {
    return this.compiled.provider;
  }
  get vocab() {
    return this.measured.vocab;
  }
  get dModel() {
    return this.measured.dModel;
  }
  get layers() {
    return this.measured.layers;
  }
  get context(): number | null {
    const context = this.checkpoint.config?.max_position_embeddings;
    return typeof context === 'number' ? context : null;
  }
  get memory(): number {
    return graphMemory(this.checkpoint);
  }

  /** The blocks' own names first, then every value of the graph. */
  get probes(): readonly string[] {
    return [...aliases(this.graph, this.layers), ...this.inspections.probes.names];
  }

  start = async (): Promise<OnnxSequence> => OnnxSequence.create(this);
  close = () => closeSessions(this.compiled);
}

async function closeSessions({ generating, inspections }: Compiled): Promise<void> {
  await generating.close();
  await inspections.close();
}

async function compile(
  checkpoint: Checkpoint,
  document: OnnxDocument,
  tokens: TokenGraph,
  options: ModelOptions,
): Promise<Compiled> {
  const { device, threads, provider = 'cpu', spinning = false } = options;
  const graph = graphBlocks(document, tokens);
  const probes = new OnnxProbes(document, graph.added, graph.typed);
  const on = { device, threads, provider, spinning, places: await placesOf(checkpoint, document) };
  const generating = new GraphSessions(probes, { ...on, kept: Number.POSITIVE_INFINITY }, true);
  const inspections = new GraphSessions(probes, { ...on, kept: options.inspections }, false);
  const kept = [...new Set([...graph.blocks.flatMap(({ enters }) => enters?.values ?? []), ...(graph.head?.values ?? [])])];
  const states = tokens.states.map(({ output }) => output);
  try {
    const body = await generating.get([...kept, ...states, ...(graph.head ? [] : [tokens.logits])]);
    const head = graph.head && (await generating.get([tokens.logits], graph.head.values));
    return { checkpoint, document, tokens, graph, device, provider, chain: { body, head, kept }, generating, inspections };
  } catch (error) {
    await generating.close();
    throw error;
  }
}

/** Weights as stored, and once more as ONNX Runtime packs them. */
export const graphMemory = (checkpoint: Checkpoint): number => Math.ceil(tensorBytes(checkpoint) * 1.15);
