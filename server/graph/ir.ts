/** The graph between an architecture and ONNX: a list of nodes over named values with symbolic shapes. */

export type DType = 'f32' | 'i64' | 'bool';

/** A number, or the name of a size known at run time: B, T, C (capacity), S, or an expression over them. */
export type Dim = number | string;

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export type Attribute = number | readonly number[] | string | boolean | Graph;

/**
 * `op` is an ONNX operator, or one of ours that the emitter lowers as the target likes best:
 * - `MatMul` with `transB` and `alpha`: x · yᵀ · alpha,
 * - `RMSNorm` (eps), inputs x and scale,
 * - `AddRMSNorm` (eps), inputs a, b and scale: the norm of a + b, and a + b; only what is about to be emitted has it (addNorms.ts),
 * - `Rotate` (dims, interleaved): the first `dims` of each row of x [B,H,T,E] in pairs (i, i + dims/2), or (2i, 2i + 1), turned by the angles
 *   whose cos and sin [T, dims/2] are given.
 */
export interface Node {
  readonly op: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Set where the graph repeats itself with other weights: an expert of many. */
  readonly part?: Part;
}

/** One of `count` parts of a graph that are built alike, of which every token goes through `chosen`. */
export interface Part {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  readonly chosen: number;
}

/** A constant written into the graph. */
export interface Constant {
  readonly value: Value;
  readonly data: Float32Array | BigInt64Array | Uint8Array;
}

/** A tensor of the checkpoint, by canonical name; the emitter binds it in place. Always f32 in the graph, whatever the file holds. */
export interface Weight {
  readonly value: Value;
  readonly tensor: string;
  /** Only this index of the tensor's first axis: one expert of many stored in one tensor. */
  readonly part?: number;
}

export interface Graph {
  readonly name: string;
  readonly inputs: Value[];
  /** Output value by the name it is fetched under. */
  readonly outputs: Map<string, Value>;
  readonly nodes: Node[];
  readonly constants: Map<string, Constant>;
  readonly weights: Map<string, Weight>;
}

/** The graph that computes only these outputs: nodes, constants and weights nothing needs are gone. Unfetched outputs are computed and pin memory. */
export function prune(graph: Graph, outputs: readonly string[]): Graph {
  const kept = new Map(outputs.map((name) => [name, mustHave(graph, name)]));
  const needed = new Set([...kept.values()].map((value) => value.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((value) => needed.has(value.name))) continue;
    nodes.unshift(node);
    for (const input of node.inputs) if (input) needed.add(input.name);
    for (const attribute of Object.values(node.attributes))
      if (isGraph(attribute)) for (const captured of captures(attribute)) needed.add(captured);
  }
  const used = <T>(table: Map<string, T>) => new Map([...table].filter(([name]) => needed.has(name)));
  return {
    name: graph.name,
    inputs: graph.inputs.filter((value) => needed.has(value.name)),
    outputs: kept,
    nodes,
    constants: used(graph.constants),
    weights: used(graph.weights),
  };
}

export const isGraph = (attribute: Attribute): attribute is Graph => typeof attribute === 'object' && 'nodes' in attribute;

/** Names a body uses but does not define: they come from the graph around it. */
export function captures(body: Graph): string[] {
  const own = new Set([...body.inputs.map((v) => v.name), ...body.constants.keys()]);
  for (const node of body.nodes) for (const value of node.outputs) own.add(value.name);
  const used = body.nodes.flatMap((node) => [
    ...node.inputs.flatMap((value) => (value ? [value.name] : [])),
    ...Object.values(node.attributes).flatMap((attribute) => (isGraph(attribute) ? captures(attribute) : [])),
  ]);
  return [...used, ...[...body.outputs.values()].map((v) => v.name)].filter((name) => !own.has(name));
}

function mustHave(graph: Graph, name: string): Value {
  const value = graph.outputs.get(name);
  if (!value) throw new RangeError(`graph ${graph.name} has no output ${name}`);
  return value;
}
