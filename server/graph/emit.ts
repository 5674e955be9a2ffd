import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { alike, blockProduct, blockRows } from './emitBlocks.js';
import { halfProduct } from './emitHalves.js';
import { rowProduct } from './emitRows.js';
import { type Attribute, type Dim, type DType, type Graph, isGraph, type Node, type Value, type Weight } from './ir.js';
import {
  AttributeProto_AttributeType,
  type AttributeProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './onnx_pb.js';
import { type Use, weightUses } from './uses.js';
import { type BlockPlace, isBlocks, isHalves, isRows, partOf, type Stretch, type WeightPlace } from './weightPlace.js';

export type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

/** What a provider can be told as it is; what it cannot is spelled out in operators that it has. */
export interface Dialect {
  /** FusedMatMul, which multiplies by a transposed matrix and a number at once. */
  readonly fusedMatMul: boolean;
  /** Sin and Cos in full precision; WGSL promises 11 bits, which is too few for RoPE: they are then computed in double, on the CPU. */
  readonly exactAngles: boolean;
  /** Scan and If, between whose steps nothing has to be brought from one memory to another. */
  readonly loops: boolean;
  /** Tensors of half precision between operators; not every GPU has them. */
  readonly halves: boolean;
}

/** The CPU's. */
export const plain: Dialect = { fusedMatMul: true, exactAngles: true, loops: true, halves: true };

export type PlaceUse = 'rows' | 'many';

export interface EmitTarget {
  /** Default: `plain`. */
  readonly dialect?: Dialect;
  /** Where a tensor is: its rows for a Gather, the matrix as many tokens are multiplied by it, or the matrix for everything else. */
  readonly place: (tensor: string, use?: PlaceUse) => WeightPlace;
  /** A call reads many tokens. */
  readonly many?: boolean;
  /**
   * `prepack`: x Wᵀ as Transpose + MatMul, which ONNX Runtime folds into its own packed copy, the fastest to decode.
   * `map`: FusedMatMul over the file as it is mapped: a third of the memory, slower by half, no second copy. For inspection.
   */
  readonly weights: 'prepack' | 'map';
  /** Threads that share a product; default: 1. */
  readonly threads?: number;
  /** Sizes that every call has, by their letters: what follows from them is folded when the session is made. */
  readonly sizes?: Readonly<Record<string, number>>;
}

/** For graphs without weights. */
export const noWeights = (tensor: string): never => {
  throw new RangeError(`a graph without weights asks for ${tensor}`);
};

const OPSETS = [
  { domain: '', version: 21n },
  { domain: 'com.microsoft', version: 1n },
];
const ELEMENT = { f32: TensorProto_DataType.FLOAT, i64: TensorProto_DataType.INT64, bool: TensorProto_DataType.BOOL } as const;
const FILE_ELEMENT = {
  F32: TensorProto_DataType.FLOAT,
  F16: TensorProto_DataType.FLOAT16,
  BF16: TensorProto_DataType.BFLOAT16,
  f32: TensorProto_DataType.FLOAT,
  u8: TensorProto_DataType.UINT8,
  s8: TensorProto_DataType.INT8,
} as const;

/** The graph as a serialised ONNX model. */
export function emitOnnx(graph: Graph, target: EmitTarget): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      producerName: 'model-lab',
      opsetImport: OPSETS,
      graph: new Emitter(graph, target).graphProto(),
    }),
  );
}

export class Emitter {
  readonly #made = new Set<string>();
  readonly #names = new Map<string, string>();
  readonly #nodes: NodeInit[] = [];
  readonly #initializers: TensorInit[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly target: EmitTarget,
    /** That of the graph around this body, which has the weights and constants. */
    private readonly around: Emitter | null = null,
  ) {}

  /** That of the whole graph. */
  get root(): Emitter {
    return this.around?.root ?? this;
  }

  graphProto(): MessageInitShape<typeof GraphProtoSchema> {
    for (const { value, data } of this.graph.constants.values())
      this.#initializers.push({
        name: value.name,
        dims: value.shape.map((d) => BigInt(d)),
        dataType: ELEMENT[value.dtype],
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      });
    const uses = weightUses(this.graph);
    for (const weight of this.graph.weights.values()) this.#weight(weight, uses.get(weight.tensor) ?? new Set());
    this.#nameOutputs();
    for (const node of this.graph.nodes) this.#node(node);
    for (const [name, value] of this.graph.outputs)
      if (name !== this.#name(value)) this.emit('Identity', [this.#name(value)], [name]);
    return {
      name: this.graph.name,
      node: this.#nodes,
      initializer: this.#initializers,
      input: this.graph.inputs.map((v) => valueInfo(v.name, v, this.target.sizes)),
      output: [...this.graph.outputs].map(([name, v]) => valueInfo(name, v, this.target.sizes)),
    };
  }

  /** What a node computes goes by the name of the output that it becomes: no copy. */
  #nameOutputs(): void {
    const free = new Set(this.graph.nodes.flatMap((node) => node.outputs.map(({ name }) => name)));
    for (const [name, value] of this.graph.outputs) if (free.delete(value.name)) this.#names.set(value.name, name);
  }

  #nameOf = (name: string): string => this.#names.get(name) ?? (this.around ? this.around.#nameOf(name) : name);
  #name = ({ name }: Value): string => this.#nameOf(name);

  /** Half-precision weights enter as they are in the file; ONNX Runtime folds the Cast. Tables and blocks are bound where they are used. */
  #weight(weight: Weight, uses: ReadonlySet<Use>): void {
    const { value } = weight;
    if ([...uses].every((use) => use === 'rows')) return;
    const place = this.#placeOf(weight);
    if (isBlocks(place) || isRows(place) || isHalves(place)) return;
    const stored = place.dtype === 'F32' ? value.name : `${value.name}.stored`;
    this.external(stored, place.dtype, place.shape, place);
    if (place.dtype !== 'F32') this.emit('Cast', [stored], [value.name], { to: ELEMENT.f32 });
  }

  #placeOf({ tensor, part }: Weight, use: PlaceUse | undefined = this.target.many ? 'many' : undefined): WeightPlace {
    const whole = this.target.place(tensor, use);
    return part === undefined ? whole : partOf(whole, part);
  }

  #node(node: Node): void {
    // a trailing empty input crashes graph fusions of ONNX Runtime 1.30
    const given = node.inputs.slice(0, node.inputs.findLastIndex((value) => value !== null) + 1);
    const inputs = given.map((value) => (value ? this.#name(value) : ''));
    const outputs = node.outputs.map(this.#name);
    const lower = LOWER[node.op];
    if (lower) lower(this, node, inputs, outputs);
    else this.emit(node.op, inputs, outputs, node.attributes);
  }

  emit(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): void {
    this.#nodes.push({
      opType: op,
      domain,
      name: `${op}.${outputs[0]}`,
      input: [...inputs],
      output: [...outputs],
      attribute: Object.entries(attributes).map(([name, value]) => this.#attribute(name, value)),
    });
  }

  /** y = x · factor. */
  scale(x: string, factor: number, y: string): void {
    this.emit('Mul', [x, this.float(`${y}.factor`, factor)], [y]);
  }

  /** A constant number. */
  float(name: string, value: number): string {
    return this.#constant({ name, dataType: ELEMENT.f32, rawData: new Uint8Array(Float32Array.of(value).buffer) });
  }

  /** What `make` emits under this name, the first time it is asked for. */
  once(name: string, make: (name: string) => void): string {
    if (!this.#made.has(name)) make(name);
    this.#made.add(name);
    return name;
  }

  /** A tensor that stays in its file. */
  external(name: string, type: keyof typeof FILE_ELEMENT, dims: readonly number[], { location, offset, bytes }: Stretch): string {
    return this.#constant({
      name,
      dims: dims.map(BigInt),
      dataType: FILE_ELEMENT[type],
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        { key: 'location', value: location },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: String(bytes) },
      ],
    });
  }

  #constant(tensor: TensorInit & { readonly name: string }): string {
    const { root } = this;
    return root.once(tensor.name, () => root.#initializers.push(tensor));
  }

  /** A constant i64 [n]. */
  ints(name: string, values: readonly number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#constant({ name, dims: [BigInt(values.length)], dataType: ELEMENT.i64, rawData });
  }

  /** True for what a norm gives: its rows are of like size. */
  normed = (value: Value | null | undefined): boolean =>
    this.graph.nodes.some(({ op, outputs }) => NORMS.has(op) && outputs[0]?.name === value?.name);

  /** A constant f32. */
  floats(name: string, values: Float32Array): string {
    const rawData = new Uint8Array(values.buffer);
    return this.#constant({ name, dims: [BigInt(values.length)], dataType: ELEMENT.f32, rawData });
  }

  isWeight = (value: Value | null | undefined): boolean =>
    value !== null && value !== undefined && this.root.graph.weights.has(value.name);

  /** How a weight is stored; null for any other value. */
  stored(value: Value | null | undefined, use?: PlaceUse): WeightPlace | null {
    const weight = value && this.root.graph.weights.get(value.name);
    return weight ? this.#placeOf(weight, use) : null;
  }

  /** x Wᵀ with a matrix in blocks, together with the products of the same x that follow where only one token is computed: few large steps. */
  product(node: Node, place: BlockPlace, x: string): void {
    if (this.#made.has(`product ${node.outputs[0]?.name}`)) return;
    const [value] = node.inputs as [Value];
    const same = this.target.sizes?.T === 1 ? this.graph.nodes.filter((other) => this.#meets(other, value, place)) : [node];
    const factors = same.map((other) => ({
      place: this.stored(other.inputs[1]) as BlockPlace,
      w: (other.inputs[1] as Value).name,
      y: this.#name(other.outputs[0] as Value),
    }));
    for (const other of same) this.#made.add(`product ${other.outputs[0]?.name}`);
    blockProduct(this, factors, x, this.oneRow(value) ? null : value.shape.length);
  }

  #meets({ op, inputs: [x, w] }: Node, value: Value, place: BlockPlace): boolean {
    if (op !== 'MatMul' || x?.name !== value.name) return false;
    const stored = this.stored(w);
    return stored !== null && isBlocks(stored) && alike(stored, place);
  }

  /** True for one vector. */
  oneRow = ({ shape }: Value): boolean => shape.slice(0, -1).every((size) => (this.target.sizes?.[size] ?? size) === 1);

  get threads(): number {
    return this.target.threads ?? 1;
  }

  /** A node as it is, with graphs that the IR cannot say. */
  node(node: NodeInit): void {
    this.#nodes.push(node);
  }

  get dialect(): Dialect {
    return this.target.dialect ?? plain;
  }

  get prepacks(): boolean {
    return this.target.weights === 'prepack';
  }

  #attribute(name: string, value: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
    const T = AttributeProto_AttributeType;
    if (isGraph(value)) return { name, type: T.GRAPH, g: new Emitter(value, this.target, this).graphProto() };
    if (typeof value === 'string') return { name, type: T.STRING, s: new TextEncoder().encode(value) };
    if (typeof value === 'boolean') return { name, type: T.INT, i: value ? 1n : 0n };
    if (typeof value !== 'number') return { name, type: T.INTS, ints: value.map(BigInt) };
    return FLOATS.has(name) ? { name, type: T.FLOAT, f: value } : { name, type: T.INT, i: BigInt(value) };
  }
}

const NORMS = new Set(['RMSNorm', 'AddRMSNorm', 'LayerNormalization']);

/** Attributes that are floats even when their value happens to be whole. */
const FLOATS = new Set(['epsilon', 'alpha', 'cubic_coeff_a']);

/** x · yᵀ · alpha in one operator each. */
function spelledOut(e: Emitter, node: Node, [a, b]: string[], [y]: string[]): void {
  const { transB = false, alpha = 1 } = node.attributes as { transB?: boolean; alpha?: number };
  const rank = (node.inputs[1] as Value).shape.length;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  if (transB) e.emit('Transpose', [b as string], [`${y}.T`], { perm: [...axes.slice(0, -2), rank - 1, rank - 2] });
  e.emit('MatMul', [a as string, transB ? `${y}.T` : (b as string)], [alpha === 1 ? (y as string) : `${y}.product`]);
  if (alpha !== 1) e.scale(`${y}.product`, alpha, y as string);
}

function angle(e: Emitter, node: Node, inputs: string[], outputs: string[]): void {
  if (e.dialect.exactAngles) {
    e.emit(node.op, inputs, outputs);
    return;
  }
  const [x, y] = [`${outputs[0]}.x`, `${outputs[0]}.y`];
  e.emit('Cast', inputs, [x], { to: TensorProto_DataType.DOUBLE });
  e.emit(node.op, [x], [y]);
  e.emit('Cast', [y], outputs, { to: ELEMENT.f32 });
}

type Lowering = (e: Emitter, node: Node, inputs: string[], outputs: string[]) => void;

const LOWER: Readonly<Record<string, Lowering>> = {
  MatMul(e, node, inputs, outputs) {
    const { transB = false, alpha = 1 } = node.attributes as { transB?: boolean; alpha?: number };
    const stored = e.stored(node.inputs[1]);
    if (stored && isBlocks(stored)) {
      if (transB === stored.turned || alpha !== 1) throw new RangeError(`${inputs[1]} is not stored for this product`);
      e.product(node, stored, inputs[0] as string);
    } else if (stored && isRows(stored)) {
      if (transB === stored.turned || alpha !== 1) throw new RangeError(`${inputs[1]} is not stored for this product`);
      rowProduct(
        e,
        stored,
        { x: inputs[0] as string, w: inputs[1] as string, y: outputs[0] as string },
        e.normed(node.inputs[0]),
      );
    } else if (stored && isHalves(stored)) {
      if (transB === stored.turned || alpha !== 1) throw new RangeError(`${inputs[1]} is not stored for this product`);
      const [x, w] = inputs as [string, string];
      const value = node.inputs[0] as Value;
      halfProduct(e, stored, { x, rank: value.shape.length, w, y: outputs[0] as string, one: e.oneRow(value) });
    } else if (!transB && alpha === 1) e.emit('MatMul', inputs, outputs);
    else if (e.prepacks && transB && alpha === 1 && e.isWeight(node.inputs[1])) {
      const turned = `${outputs[0]}.wT`;
      e.root.emit('Transpose', [inputs[1] as string], [turned], { perm: [1, 0] });
      e.emit('MatMul', [inputs[0] as string, turned], outputs);
    } else if (e.dialect.fusedMatMul) e.emit('FusedMatMul', inputs, outputs, { transB, alpha }, 'com.microsoft');
    else spelledOut(e, node, inputs, outputs);
  },
  // ln(1 + eˣ) = max(x, 0) + ln(1 + t), t = e^−|x|, in vector operators: ONNX Runtime's own kernel takes one number at a time, 1.6 times as long.
  // With u = 1 + t as it is rounded, ln(1 + t) = ln u + (t − (u − 1)) / u (Kahan): small results keep all their digits.
  Softplus(e, _, [x], [y]) {
    const name = (part: string) => `${y}.${part}`;
    const one = e.float(name('one'), 1);
    e.emit('Abs', [x as string], [name('abs')]);
    e.emit('Neg', [name('abs')], [name('neg')]);
    e.emit('Exp', [name('neg')], [name('t')]);
    e.emit('Add', [name('t'), one], [name('u')]);
    e.emit('Log', [name('u')], [name('log')]);
    e.emit('Sub', [name('u'), one], [name('back')]);
    e.emit('Sub', [name('t'), name('back')], [name('lost')]);
    e.emit('Div', [name('lost'), name('u')], [name('rest')]);
    e.emit('Add', [name('log'), name('rest')], [name('log1p')]);
    e.emit('Relu', [x as string], [name('relu')]);
    e.emit('Add', [name('relu'), name('log1p')], [y as string]);
  },
  Sin: angle,
  Cos: angle,
  RMSNorm(e, node, inputs, outputs) {
    e.emit('SimplifiedLayerNormalization', inputs, outputs, { axis: -1, epsilon: node.attributes.eps as number });
  },
  AddRMSNorm(e, node, inputs, [norm, sum]) {
    const attributes = { epsilon: node.attributes.eps as number };
    e.emit('SkipSimplifiedLayerNormalization', inputs, [norm as string, '', '', sum as string], attributes, 'com.microsoft');
  },
  Rotate(e, node, inputs, outputs) {
    const [x, cos, sin] = inputs as [string, string, string];
    const heads = (node.inputs[0] as Value).shape[1] as number;
    const { dims, interleaved } = node.attributes as { dims: number; interleaved: boolean };
    const first = e.ints('first.position', [0]); // the tables begin at the first new token
    const attributes = { interleaved, num_heads: heads, rotary_embedding_dim: dims };
    e.emit('RotaryEmbedding', [x, first, cos, sin], outputs, attributes, 'com.microsoft');
  },
  Gather(e, node, inputs, outputs) {
    const table = node.attributes.axis === 0 ? e.stored(node.inputs[0], 'rows') : null;
    if (!table) return e.emit('Gather', inputs, outputs, node.attributes);
    const [w, ids, y] = [...inputs, ...outputs] as [string, string, string];
    if (isRows(table) || isHalves(table)) throw new RangeError(`${w} is not stored in rows to gather`);
    if (isBlocks(table)) return blockRows(e, table, w, ids, y, (node.inputs[1] as Value).shape.length);
    const rows = e.external(`${w}.rows`, table.dtype, table.shape, table);
    const gather = (from: string, to: string) => e.emit('Gather', [from, ids], [to], node.attributes);
    const widen = (from: string, to: string) => e.emit('Cast', [from], [to], { to: ELEMENT.f32 });
    if (table.dtype === 'F32') gather(rows, y);
    else if (e.dialect.halves) {
      gather(rows, `${y}.half`);
      widen(`${y}.half`, y);
    } else
      gather(
        e.once(`${rows}.wide`, (wide) => widen(rows, wide)),
        y,
      );
  },
  Cast(e, node, inputs, outputs) {
    e.emit('Cast', inputs, outputs, { to: ELEMENT[node.attributes.to as DType] });
  },
};

function valueInfo(
  name: string,
  value: Value,
  sizes: Readonly<Record<string, number>> = {},
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = (d: Dim) => {
    const size = typeof d === 'number' ? d : sizes[d];
    return size === undefined
      ? { value: { case: 'dimParam' as const, value: d as string } }
      : { value: { case: 'dimValue' as const, value: BigInt(size) } };
  };
  return {
    name,
    type: { value: { case: 'tensorType', value: { elemType: ELEMENT[value.dtype], shape: { dim: value.shape.map(dim) } } } },
  };
}
