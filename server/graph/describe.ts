import type { GraphGroup, GraphNode, GraphPart, GraphValue, SegmentGraph, StoredWeight } from '../protocol/graph.js';
import { type Attribute, type Constant, type Graph, isGraph, type Node, type Value } from './ir.js';
import { formulaOf } from './operators.js';
import { type Place, placesOf, withoutScope } from './places.js';
import type { Segment } from './segment.js';

/** Elements of a constant that are spelled out. */
const SPELLED = 8;

export interface DescribeOptions {
  readonly tower: string;
  readonly part: GraphPart;
  /** Before probe and state names, e.g. `blocks.3.`; empty for embed and head. */
  readonly scope: string;
  /** Before tensor names, e.g. `model.layers.3.`. */
  readonly prefix: string;
  /** Which of several parts built alike is sent. */
  readonly shown: number;
  /** Sizes in one call by the name of a value, without the batch; values that are not among them keep symbolic ones. */
  readonly sizes?: ReadonlyMap<string, readonly (number | string)[]>;
  readonly stored: (tensor: string) => Omit<StoredWeight, 'tensor' | 'name' | 'label'>;
  readonly about: (probe: string) => GraphGroup['about'];
}

/** What is told of a graph: a segment, or a part of a graph from a file. */
export interface Describable extends Pick<Segment, 'graph' | 'declared' | 'named'> {
  /** Where each node belongs; by default where the names of its values put it. */
  readonly places?: readonly Place[];
  /** What inputs are, where their names do not say it. */
  readonly roles?: ReadonlyMap<string, string>;
  /** Types by the name of a value, where they are none of the IR's. */
  readonly dtypes?: ReadonlyMap<string, string>;
}

/** A segment as data: its operators with their shapes, sorted into modules and steps. Names are relative to the block, so that like blocks are equal. */
export function describeSegment(segment: Describable, options: DescribeOptions): SegmentGraph {
  const { graph, named, declared, places = placesOf(graph, named, options.scope) } = segment;
  const writer = new Writer(options, segment, probesByValue(named, options.scope));
  const groups = new Grouping(writer, places, options.about);
  writer.graph(graph, (node, i) => groups.ofPart(i, node));
  const outputs = [...graph.outputs].map(([name, value]) => writer.leaves(value, withoutScope(name, options.scope)));
  const seen = new Set([...named.keys()].map((name) => withoutScope(name, options.scope)));
  return {
    tower: options.tower,
    part: options.part,
    values: writer.values,
    nodes: writer.nodes,
    groups: writer.groups,
    outputs: [...new Set(outputs)],
    observed: declared.map((name) => withoutScope(name, options.scope)).filter((name) => !seen.has(name)),
  };
}

function probesByValue(named: ReadonlyMap<string, Value>, scope: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [probe, { name }] of named) names.set(name, [...(names.get(name) ?? []), withoutScope(probe, scope)]);
  return names;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Numbers values, nodes and groups in the order they are met. */
class Writer {
  readonly values: Mutable<GraphValue>[] = [];
  readonly nodes: GraphNode[] = [];
  readonly groups: GraphGroup[] = [];
  readonly #index = new Map<string, number>();
  readonly #constants = new Map<string, Constant>();

  constructor(
    private readonly options: DescribeOptions,
    private readonly told: Describable,
    private readonly probes: ReadonlyMap<string, readonly string[]>,
  ) {}

  group(group: Omit<GraphGroup, 'about' | 'part' | 'node' | 'probe'> & Partial<GraphGroup>): number {
    return this.groups.push({ about: null, part: null, node: null, probe: null, ...group }) - 1;
  }

  graph(graph: Graph, groupOf: (node: Node, i: number) => number): void {
    const { scope } = this.options;
    for (const value of graph.inputs)
      if (!this.#index.has(value.name))
        this.#add(value, { kind: 'input', role: this.told.roles?.get(value.name) ?? withoutScope(value.name, scope) });
    for (const constant of graph.constants.values()) this.#constants.set(constant.value.name, constant);
    for (const [i, node] of graph.nodes.entries()) {
      if (node.part && node.part.index !== this.options.shown) continue;
      this.#node(node, groupOf(node, i));
    }
  }

  /** An output of the segment. */
  leaves(value: Value, role: string): number {
    const index = this.#index.get(value.name) as number;
    const known = this.values[index] as Mutable<GraphValue>;
    if (known.kind === 'computed') known.role ??= role;
    return index;
  }

  #node(node: Node, group: number): void {
    const given = node.inputs.map((value) => this.#input(value));
    const inputs = given.filter((index) => index !== undefined);
    const made = node.outputs.filter(({ name }) => name !== '');
    const outputs = made.map((value) => this.#add(value, { kind: 'computed' }));
    const { attributes, op } = node;
    const plain = Object.entries(attributes).filter(([, value]) => !isGraph(value));
    const index = this.nodes.push({
      op,
      group,
      inputs,
      outputs,
      attributes: Object.fromEntries(plain.map(([name, value]) => [name, attributeText(value)])),
      formula: formulaOf(op, attributes),
      hidden: given.length - inputs.length,
    });
    this.#bodies(node, index - 1, group, inputs);
  }

  /** −1 for an input that is left out, nothing for one that comes from a part that is not sent. */
  #input(value: Value | null): number | undefined {
    if (value === null) return -1;
    const known = this.#index.get(value.name);
    if (known !== undefined) return known;
    const constant = this.#constants.get(value.name);
    if (constant) return this.#add(value, { kind: 'constant', constant: spelled(constant.data) });
    const weight = this.told.graph.weights.get(value.name);
    if (!weight) return undefined;
    const stored = this.options.stored(weight.tensor);
    const tensor = withoutScope(weight.tensor, this.options.prefix);
    const part =
      weight.part === undefined
        ? stored
        : { ...stored, shape: stored.shape.slice(1), bytes: stored.bytes / (stored.shape[0] ?? 1) };
    return this.#add(value, {
      kind: 'weight',
      weight: {
        tensor: weight.part === undefined ? tensor : `${tensor}[${weight.part}]`,
        name: weight.tensor,
        label: labelOf(tensor),
        ...part,
      },
    });
  }

  #add({ name, dtype, shape }: Value, more: Partial<GraphValue>): number {
    const probes = this.probes.get(name) ?? [];
    const shown = withoutScope(withoutScope(name, this.options.scope), `w.${this.options.prefix}`);
    const type = this.told.dtypes?.get(name) ?? dtype;
    const sizes = this.options.sizes?.get(name) ?? shape;
    const index = this.values.push({ name: shown, dtype: type, shape: sizes, kind: 'computed', probes, role: null, ...more }) - 1;
    this.#index.set(name, index);
    return index;
  }

  #bodies(node: Node, index: number, parent: number, outer: readonly number[]): void {
    const { body, then_branch, else_branch } = node.attributes;
    if (body && isGraph(body)) {
      // the body of a Loop begins with the number of the step and returns its condition
      const [states, skipped] =
        node.op === 'Loop' ? [node.inputs.length, 1] : [node.inputs.length - (node.attributes.num_scan_inputs as number), 0];
      for (const [i, value] of body.inputs.entries())
        this.#add(value, { kind: 'input', role: null, ...(outer[i] !== undefined && { of: outer[i] }) });
      const group = this.group({ title: 'for each step', kind: 'loop', parent, node: index });
      this.graph(body, () => group);
      const results = [...body.outputs.values()].map((value) => this.#index.get(value.name) as number);
      for (const [i, value] of body.inputs.slice(skipped, states).entries())
        (this.values[this.#index.get(value.name) as number] as Mutable<GraphValue>).next = results[i] as number;
      this.#become(node, results.slice(skipped));
    }
    for (const [title, branch] of [
      ['then', then_branch],
      ['else', else_branch],
    ] as const) {
      if (!branch || !isGraph(branch)) continue;
      const group = this.group({ title, kind: 'branch', parent, node: index });
      this.graph(branch, () => group);
      this.#become(
        node,
        [...branch.outputs.values()].map((value) => this.#index.get(value.name) as number),
      );
    }
  }

  /** What leaves a body is what its node gives. */
  #become(node: Node, results: readonly number[]): void {
    for (const [i, value] of node.outputs.entries()) {
      const [inner, of] = [this.values[results[i] as number], this.#index.get(value.name)];
      if (inner && of !== undefined) inner.of = of;
    }
  }
}

/** The tree of groups, made as nodes ask for theirs. */
class Grouping {
  readonly #known = new Map<string, number>();
  readonly #root: number;

  constructor(
    private readonly writer: Writer,
    private readonly places: readonly Place[],
    private readonly about: DescribeOptions['about'],
  ) {
    this.#root = writer.group({ title: '', kind: 'root', parent: -1 });
  }

  of(i: number): number {
    const { modules, step, probe } = this.places[i] as Place;
    let [group, key] = [this.#root, ''];
    for (const title of modules) {
      key += `${title}/`;
      group = this.#once(key, { title, kind: 'module', parent: group });
    }
    if (step === null) return group;
    const about = probe === null ? null : this.about(probe);
    return this.#once(`${key}/${step}`, { title: step, kind: 'step', parent: group, probe, about });
  }

  /** Operators of a part stand together within their step. */
  ofPart(i: number, node: Node): number {
    const group = this.of(i);
    if (!node.part) return group;
    const { name, ...part } = node.part;
    return this.#once(`${group}/${name}`, { title: name, kind: 'part', parent: group, part });
  }

  #once(key: string, group: Parameters<Writer['group']>[0]): number {
    const known = this.#known.get(key) ?? this.writer.group(group);
    this.#known.set(key, known);
    return known;
  }
}

/** The last words of a tensor's name: `q_proj`, `experts.3.w1`; exporters number those that they make. */
const labelOf = (tensor: string): string =>
  /^(onnx::|val_|const_|_)/.test(tensor) || /^\d+$/.test(tensor)
    ? ''
    : tensor
        .replace(/\.weight$/, '')
        .split('.')
        .slice(-2)
        .join('.');

const attributeText = (value: Attribute): string =>
  typeof value === 'object' && !isGraph(value) ? value.join(', ') : String(value);

function spelled(data: Constant['data']): string {
  const some = Array.from(data.subarray(0, SPELLED) as ArrayLike<number | bigint>, (value) => {
    const number = Number(value);
    return Number.isInteger(number) || !Number.isFinite(number) ? endOr(number) : String(Number(number.toPrecision(6)));
  });
  return data.length > SPELLED ? `${some.join(', ')} … (${data.length})` : some.join(', ');
}

/** Slices to the end are written with the largest whole number. */
const endOr = (value: number): string => (value >= Number.MAX_SAFE_INTEGER ? 'end' : String(value));
