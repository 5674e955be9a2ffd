import type { GraphPart } from '../../protocol/graph.js';
import type { Describable } from '../describe.js';
import type { Graph, Value } from '../ir.js';
import type { NodeProto } from '../onnx_pb.js';
import { placesOf } from '../places.js';
import type { GraphBlocks } from './blocks.js';
import { readsOf } from './captures.js';
import { carryNames } from './carryNames.js';
import type { OnnxDocument } from './document.js';
import { type Partition, partitionOf } from './partition.js';
import { placesByScope, scopeOf } from './scopes.js';
import { ToIr } from './toIr.js';
import type { SizedValue } from './types.js';

export interface DrawingOptions {
  readonly document: OnnxDocument;
  readonly blocks: GraphBlocks;
  readonly sizes: ReadonlyMap<string, SizedValue>;
  /** What the inputs and outputs that a call leaves to the next are called: `k`, `v` … */
  readonly states: ReadonlyMap<string, string>;
  /** The input that holds tokens; null when none does. */
  readonly tokens: string | null;
  /** By part: its values by the full names of probes. */
  readonly names: (part: GraphPart) => ReadonlyMap<string, string>;
}

/** A graph from a file, part by part, in the form in which segments are told: the same operators, in groups, with what enters and leaves. */
export class GraphDrawing {
  readonly parts: readonly GraphPart[];
  readonly #partition: Partition;
  readonly #makers = new Map<string, number>();
  readonly #readers = new Map<string, Set<number>>();
  readonly #carries: ReadonlyMap<string, string>;

  constructor(private readonly options: DrawingOptions) {
    const { document, blocks, states } = options;
    this.#partition = partitionOf(document, blocks);
    this.parts = this.#partition.parts;
    for (const name of document.inputs) if (!states.has(name)) this.#makers.set(name, 0);
    for (const [i, node] of document.graph.node.entries()) {
      const part = this.#partition.of[i] as number;
      for (const name of node.output) if (name !== '') this.#makers.set(name, part);
      for (const name of readsOf(node)) this.#readers.set(name, (this.#readers.get(name) ?? new Set()).add(part));
    }
    this.#carries = carryNames(document, this.#crossing());
  }

  /** One part as `describeSegment` takes it. */
  part(index: number): Describable {
    const { document, sizes } = this.options;
    const nodes = document.graph.node.filter((_, i) => this.#partition.of[i] === index);
    const ir = new ToIr(sizes);
    const read = new Set(nodes.flatMap(readsOf));
    for (const tensor of document.graph.initializer) if (read.has(tensor.name)) ir.store(tensor, tensor.name);
    for (const { values } of document.graph.sparseInitializer) if (values && read.has(values.name)) ir.store(values, values.name);
    const kept = nodes.filter((node) => ir.nodes([node]).length > 0);
    const roles = this.#entering(index, read);
    const graph: Graph = {
      name: document.graph.name,
      inputs: [...roles.keys()].map((name) => ir.value(name)),
      outputs: this.#leaving(index, nodes, ir),
      nodes: ir.nodes(kept),
      constants: ir.constants,
      weights: ir.weights,
    };
    const part = this.parts[index] as GraphPart;
    const scope = typeof part === 'number' ? `blocks.${part}.` : '';
    const { named, declared } = this.#named(part, graph);
    const places = placesByScope(kept, placesOf(graph, named, scope));
    return { graph, named, declared, places, roles, dtypes: ir.dtypes };
  }

  /** The name of the residual stream's module, e.g. `model.layers.3.`, before the names of a block's tensors. */
  prefix(index: number): string {
    if (typeof this.parts[index] !== 'number') return '';
    const nodes = this.options.document.graph.node.filter((_, i) => this.#partition.of[i] === index);
    const counts = new Map<string, number>();
    for (const name of [...nodes.flatMap(readsOf), ...nodes.map((node) => `${scopeOf(node).join('.')}.`)]) {
      const [own] = /^(?:[A-Za-z_]\w*\.)+\d+\./.exec(name) ?? [];
      if (own) counts.set(own, (counts.get(own) ?? 0) + 1);
    }
    return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
  }

  /** What a part is given, and as what. */
  #entering(index: number, read: ReadonlySet<string>): Map<string, string> {
    const { document, states, tokens } = this.options;
    const roles = new Map<string, string>();
    const stream = this.#partition.streams[index] ?? null;
    const inputs = new Set(document.inputs);
    const order = (name: string) => {
      const origin = document.origins.get(name);
      return name === stream ? -2 : origin?.kind === 'node' ? origin.node : -1;
    };
    for (const name of [...new Set([...(index === 0 ? document.inputs : []), ...read])].sort((a, b) => order(a) - order(b))) {
      const state = inputs.has(name) ? states.get(name) : undefined;
      const maker = this.#makers.get(name);
      if (state !== undefined && read.has(name)) roles.set(name, `state.${state}.past`);
      else if (index === 0 && inputs.has(name) && state === undefined) roles.set(name, name === tokens ? 'tokens' : name);
      else if (maker !== undefined && maker !== index && name === stream) roles.set(name, 'resid');
      else if (maker !== undefined && maker !== index) roles.set(name, this.#carried(name));
    }
    return roles;
  }

  #leaving(index: number, nodes: readonly NodeProto[], ir: ToIr): Map<string, Value> {
    const { document, states } = this.options;
    const next = this.#partition.streams[index + 1] ?? null;
    const outputs = new Set(document.outputs);
    const made = [
      ...(index === 0 ? document.inputs.filter((name) => !states.has(name)) : []),
      ...nodes.flatMap(({ output }) => output),
    ];
    const leaving = new Map<string, Value>();
    for (const name of made) {
      if (name === '') continue;
      if (name === next) leaving.set('resid.next', ir.value(name));
      if (outputs.has(name)) leaving.set(states.has(name) ? `state.${states.get(name)}.new` : name, ir.value(name));
      const later = [...(this.#readers.get(name) ?? [])].some(
        (part) => part > index && !(name === this.#partition.streams[part]),
      );
      if (later) leaving.set(this.#carried(name), ir.value(name));
    }
    return leaving;
  }

  /** What skips parts; sizes and nothing else are no part of the picture. */
  #carried(name: string): string {
    const { dtype, shape } = this.options.sizes.get(name) ?? { dtype: null, shape: null };
    const isSize = /^[IU]\d/.test(dtype ?? '') && (shape?.length ?? 2) <= 1 && shape?.every((size) => typeof size === 'number');
    return `${isSize ? 'sizes' : 'carry'}.${this.#carries.get(name) ?? name}`;
  }

  /** Probes of this part that the graph itself computes, and those that are computed only when somebody asks. */
  #named(part: GraphPart, graph: Graph): Pick<Describable, 'named' | 'declared'> {
    const own = new Map([...graph.inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)].map((value) => [value.name, value]));
    const names = this.options.names(part);
    const named = new Map(
      [...names].flatMap(([probe, name]) => (own.has(name) ? [[probe, own.get(name) as Value] as const] : [])),
    );
    return { named, declared: [...names.keys()] };
  }

  /** Values that one part makes and others read beside the stream: by name, where they are made and last read. */
  #crossing(): Map<string, { readonly from: number; readonly to: number }> {
    const crossing = new Map<string, { from: number; to: number }>();
    for (const [name, from] of this.#makers) {
      const others = [...(this.#readers.get(name) ?? [])].filter(
        (part) => part !== from && this.#partition.streams[part] !== name,
      );
      if (others.length > 0) crossing.set(name, { from, to: Math.max(...others) });
    }
    return crossing;
  }
}
