import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type GraphProto, type ModelProto, ModelProtoSchema, type NodeProto } from '../onnx_pb.js';
import { invalidGraph } from './errors.js';

/** Field numbers of onnx.proto that surgery touches. */
export const modelField = { graph: 7, opset: 8 } as const;
export const graphField = { node: 1, initializer: 5, sparse: 15, input: 11, output: 12, valueInfo: 13 } as const;

/** A field as the file has it: `bytes` with its tag, `content` behind its length. */
export interface Slice {
  readonly field: number;
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
}

/** Where a value of the main graph comes from. */
export type Origin = { readonly kind: 'input' | 'initializer' } | { readonly kind: 'node'; readonly node: number };

/**
 * An ONNX model that is both understood and kept: messages as objects, and the bytes they were read from, so that what surgery does not touch
 * is written as it was.
 */
export class OnnxDocument {
  /** Every value of the main graph by name. */
  readonly origins = new Map<string, Origin>();

  private constructor(
    readonly model: ModelProto,
    readonly graph: GraphProto,
    /** Fields of ModelProto in their order; the graph is one of them. */
    readonly modelSlices: readonly Slice[],
    /** Fields of GraphProto in their order: the k-th slice of a field is the k-th object of it. */
    readonly graphSlices: readonly Slice[],
  ) {}

  /** Errors: ONNX_INVALID. */
  static parse(bytes: Uint8Array): OnnxDocument {
    let model: ModelProto;
    try {
      model = fromBinary(ModelProtoSchema, bytes);
    } catch (cause) {
      throw invalidGraph('The protobuf of the model cannot be read.', cause);
    }
    const modelSlices = slicesOf(bytes);
    const own = modelSlices.filter(({ field }) => field === modelField.graph);
    if (!model.graph || own.length !== 1) throw invalidGraph('The model does not have one graph.');
    const document = new OnnxDocument(model, model.graph, modelSlices, slicesOf((own[0] as Slice).content));
    document.#index();
    return document;
  }

  /** Names that are fed: declared inputs without a default. */
  get inputs(): readonly string[] {
    return this.graph.input.map(({ name }) => name).filter((name) => this.origins.get(name)?.kind === 'input');
  }

  get outputs(): readonly string[] {
    return this.graph.output.map(({ name }) => name);
  }

  /** Version of an operator set; 0 when the model does not import it. */
  opset(domain = ''): number {
    const alias = (name: string) => (name === 'ai.onnx' ? '' : name);
    return Number(this.model.opsetImport.find((set) => alias(set.domain) === domain)?.version ?? 0);
  }

  producer(value: string): NodeProto | null {
    const origin = this.origins.get(value);
    return origin?.kind === 'node' ? (this.graph.node[origin.node] as NodeProto) : null;
  }

  #index(): void {
    const { graph, origins } = this;
    for (const { name } of graph.input) origins.set(name, { kind: 'input' });
    const initializers = [
      ...graph.initializer.map(({ name }) => name),
      ...graph.sparseInitializer.map((s) => s.values?.name ?? ''),
    ];
    for (const name of initializers) origins.set(name, { kind: 'initializer' });
    for (const [index, node] of graph.node.entries())
      for (const output of node.output) {
        if (output === '') continue;
        if (origins.has(output)) throw invalidGraph(`The value ${output} is made twice.`);
        origins.set(output, { kind: 'node', node: index });
      }
    for (const { name } of graph.output) if (!origins.has(name)) throw invalidGraph(`Nothing makes the output ${name}.`);
  }
}

function slicesOf(bytes: Uint8Array): Slice[] {
  const reader = new BinaryReader(bytes);
  const slices: Slice[] = [];
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const [field, wire] = reader.tag();
    const at = reader.pos;
    reader.skip(wire, field);
    const all = bytes.subarray(at, reader.pos);
    const content = wire === WireType.LengthDelimited ? new BinaryReader(all).bytes() : all;
    slices.push({ field, bytes: bytes.subarray(from, reader.pos), content });
  }
  return slices;
}
