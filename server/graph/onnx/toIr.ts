import type { Attribute, Constant, DType, Graph, Node, Value, Weight } from '../ir.js';
import {
  AttributeProto_AttributeType as A,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from '../onnx_pb.js';
import { intOf } from './attributes.js';
import { bodiesOf } from './captures.js';
import { numbersOf } from './constants.js';
import { elementName, type SizedValue, typeOf } from './types.js';

/** Elements of an initializer up to which it is a constant of the graph and no weight. */
const SMALL = 8;
/** As the end of a slice: all the rest. */
const MOST = 2n ** 63n - 1n;
const decoder = new TextDecoder();

/** Reads values and nodes of a graph as those of the IR, so that they are told and drawn like a segment's. Nothing is computed from them. */
export class ToIr {
  /** Types by name, as ONNX calls them: the IR has three. */
  readonly dtypes = new Map<string, string>();
  /** Of the graph and of all bodies in it. */
  readonly weights = new Map<string, Weight>();
  readonly constants = new Map<string, Constant>();
  readonly #stored = new Map<string, SizedValue>();

  constructor(private readonly sizes: ReadonlyMap<string, SizedValue>) {}

  value(name: string, known: SizedValue | undefined = this.#stored.get(name) ?? this.sizes.get(name)): Value {
    const dtype = known?.dtype ?? null;
    this.dtypes.set(name, dtype?.toLowerCase() ?? '?');
    return { name, dtype: kindOf(dtype), shape: known?.shape ?? ['?'] };
  }

  /** A stored tensor: a weight of its own name, or a constant that is spelled out where it is small. */
  store(tensor: TensorProto, name: string): void {
    this.#stored.set(name, { dtype: elementName(tensor.dataType), shape: tensor.dims.map(Number) });
    const value = this.value(name);
    const numbers = numbersOf(tensor, SMALL);
    const isVector = value.dtype === 'f32' && tensor.dims.length > 0 && numbers !== null && numbers.length > 1;
    if (numbers === null || isVector) this.weights.set(name, { value, tensor: tensor.name === '' ? name : tensor.name });
    else this.constants.set(name, { value, data: dataOf(value.dtype, numbers) });
  }

  /** Nodes in order; those that only hold a number become constants. `within` gives names of a body their full form. */
  nodes(nodes: readonly NodeProto[], within: Within = outside): Node[] {
    const { full } = within;
    return nodes.flatMap((node) => {
      if (node.opType === 'Constant' && this.#constant(node, full(node.output[0] ?? ''))) return [];
      const bodies = new Map(
        bodiesOf(node).map(({ attribute, graph }) => [attribute, this.#body(node, attribute, graph, within)]),
      );
      const attributes = Object.fromEntries(
        node.attribute.flatMap((own): [string, Attribute][] => {
          const found = bodies.get(own.name) ?? attributeOf(own);
          return found === null ? [] : [[own.name, found]];
        }),
      );
      return [
        {
          op: node.opType,
          inputs: trimmed(node.input).map((name) => (name === '' ? null : this.value(full(name)))),
          outputs: node.output.map((name) => (name === '' ? UNNAMED : this.value(full(name)))),
          attributes,
        },
      ];
    });
  }

  #constant(node: NodeProto, name: string): boolean {
    const [own] = node.attribute;
    if (!own) return false;
    if (own.t) this.store(own.t, name);
    else {
      const numbers =
        own.name === 'value_float' || own.name === 'value_floats'
          ? [own.f, ...own.floats]
          : [Number(own.i), ...own.ints.map(Number)];
      const some = own.name.endsWith('s') ? numbers.slice(1) : numbers.slice(0, 1);
      const value = this.value(name);
      this.constants.set(name, { value, data: dataOf(value.dtype, some) });
    }
    return true;
  }

  /** Values of a body under the names that they are read by (lift.ts), as they are at one step. */
  #body(node: NodeProto, attribute: string, graph: GraphProto, outer: Within): Graph {
    const prefix = `${outer.prefix}${node.output.find((name) => name !== '') ?? node.name}/${attribute}/`;
    const own = new Set([
      ...graph.input.map(({ name }) => name),
      ...graph.initializer.map(({ name }) => name),
      ...graph.node.flatMap(({ output }) => output),
    ]);
    const full = (name: string) => (own.has(name) ? prefix + name : outer.full(name));
    const declared = new Map<string, SizedValue>([
      ...[...graph.valueInfo, ...graph.output, ...graph.input].map(({ name, type }) => [name, typeOf(type)] as const),
      ...this.#given(node, graph, outer),
    ]);
    const inner = new ToIr(
      new Map([
        ...this.sizes,
        ...[...own].map((name) => [prefix + name, this.#atStep(prefix + name, declared.get(name))] as const),
      ]),
    );
    for (const tensor of graph.initializer) inner.store(tensor, full(tensor.name));
    const inputs = graph.input.map(({ name }) => inner.value(full(name)));
    const nodes = inner.nodes(graph.node, { prefix, full });
    const outputs = new Map(graph.output.map(({ name }) => [name, inner.value(full(name))]));
    for (const [name, dtype] of inner.dtypes) this.dtypes.set(name, dtype);
    for (const [name, weight] of inner.weights) this.weights.set(name, weight);
    return { name: graph.name, inputs, outputs, nodes, constants: inner.constants, weights: new Map() };
  }

  /** What a loop's body is given, as the loop is: states whole, of what a Scan reads step by step one step. */
  #given(node: NodeProto, { input }: GraphProto, { full }: Within): (readonly [string, SizedValue])[] {
    const scanned = node.opType === 'Scan' ? intOf(node, 'num_scan_inputs', 0) : 0;
    return input.flatMap(({ name }, i) => {
      const known = this.sizes.get(full(node.input[i] ?? ''));
      if (!known?.shape || !['Scan', 'Loop'].includes(node.opType)) return [];
      return [[name, i < input.length - scanned ? known : { ...known, shape: known.shape.slice(1) }] as const];
    });
  }

  /** Of what a loop gives for all its steps, one: without the first axis. */
  #atStep(name: string, declared: SizedValue | undefined): SizedValue {
    const all = this.sizes.get(name);
    if (!all) return declared ?? { dtype: null, shape: null };
    return { dtype: all.dtype, shape: all.shape?.slice(1) ?? declared?.shape ?? null };
  }
}

/** The body that names are read in: what goes before those of its own, and the full form of any. */
interface Within {
  readonly prefix: string;
  full(name: string): string;
}
const outside: Within = { prefix: '', full: (name) => name };
/** An output that is left out. */
const UNNAMED: Value = { name: '', dtype: 'f32', shape: [] };

/** The IR's nearest type; values that are no tensors count as numbers that nobody shows. */
const kindOf = (dtype: string | null): DType => (dtype === 'BOOL' ? 'bool' : /^[IU]\d/.test(dtype ?? '') ? 'i64' : 'f32');

const dataOf = (dtype: DType, numbers: readonly number[]): Constant['data'] =>
  dtype === 'f32'
    ? Float32Array.from(numbers)
    : dtype === 'bool'
      ? Uint8Array.from(numbers)
      : BigInt64Array.from(numbers, (n) => BigInt.asIntN(64, n >= 2 ** 63 ? MOST : BigInt(Math.trunc(n))));

/** Without the empty names at the end. */
const trimmed = (names: readonly string[]): readonly string[] => names.slice(0, names.findLastIndex((name) => name !== '') + 1);

function attributeOf({ type, f, i, s, t, floats, ints, strings }: AttributeProto): Attribute | null {
  switch (type) {
    case A.FLOAT:
      return Number(f.toPrecision(7));
    case A.INT:
      return Number(i);
    case A.STRING:
      return decoder.decode(s);
    case A.FLOATS:
      return floats.map((value) => Number(value.toPrecision(7)));
    case A.INTS:
      return ints.map(Number);
    case A.STRINGS:
      return strings.map((text) => decoder.decode(text)).join(', ');
    case A.TENSOR:
      return t ? `${elementName(t.dataType) ?? 'tensor'} [${t.dims.join(', ')}]` : null;
    default:
      return null;
  }
}
