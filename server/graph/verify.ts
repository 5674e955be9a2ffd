import { LabError } from '../protocol/errors.js';
import { type DType, type Graph, isGraph, type Node, type Value } from './ir.js';

export type FaultKind = 'duplicate' | 'undefined' | 'order' | 'unused' | 'dtype';

export interface Fault {
  readonly kind: FaultKind;
  /** The value it is about. */
  readonly name: string;
  readonly message: string;
}

/**
 * What ONNX Runtime would refuse, or worse, take: names defined twice or never, nodes that read what comes later, inputs nobody reads,
 * outputs nobody computes, dtypes that do not fit. Empty when the graph is sound.
 */
export function verify(graph: Graph): readonly Fault[] {
  const faults: Fault[] = [];
  const known = new Map<string, DType>();
  check(graph, known, (kind, name, message) => faults.push({ kind, name, message: `${graph.name}: ${message}` }));
  return faults;
}

/** Errors: GRAPH_BROKEN. */
export function assertSound(graph: Graph): void {
  const faults = verify(graph);
  if (faults.length > 0)
    throw new LabError({
      code: 'GRAPH_BROKEN',
      message: faults.map((f) => f.message).join('; '),
      hint: 'This is a mistake in Model Lab; please report it with the config.json of the model.',
    });
}

type Report = (kind: FaultKind, name: string, message: string) => void;

/** `known` holds what surrounds the graph and gains what it defines. Returns every name it reads. */
function check(graph: Graph, known: Map<string, DType>, report: Report): ReadonlySet<string> {
  const used = new Set<string>();
  const later = new Set(graph.nodes.flatMap((node) => node.outputs.map((value) => value.name)));
  const define = ({ name, dtype }: Value) => {
    if (known.has(name)) report('duplicate', name, `${name} is defined twice`);
    known.set(name, dtype);
  };
  const use = ({ name, dtype }: Value, by: string) => {
    used.add(name);
    const actual = known.get(name);
    if (actual === undefined && later.has(name)) report('order', name, `${by} reads ${name} before it is computed`);
    else if (actual === undefined) report('undefined', name, `${by} reads ${name}, which nothing computes`);
    else if (actual !== dtype) report('dtype', name, `${by} takes ${name} for ${dtype}, it is ${actual}`);
  };
  graph.inputs.forEach(define);
  for (const { value } of [...graph.constants.values(), ...graph.weights.values()]) define(value);
  for (const node of graph.nodes) {
    for (const value of node.inputs) if (value) use(value, node.op);
    for (const attribute of Object.values(node.attributes))
      if (isGraph(attribute)) for (const name of check(attribute, new Map(known), report)) used.add(name);
    const wrong = dtypeFault(node);
    if (wrong) report('dtype', node.outputs[0]?.name ?? '', wrong);
    node.outputs.forEach(define);
  }
  for (const [name, value] of graph.outputs) {
    use(value, `output ${name}`);
    // the emitter gives the value this name as well
    if (name !== value.name && known.has(name)) report('duplicate', name, `output ${name} is also another value`);
  }
  for (const { name } of graph.inputs) if (!used.has(name)) report('unused', name, `input ${name} is read by nothing`);
  return used;
}

/** How the dtypes of a node's inputs must be, and what comes out: `same` is the dtype of the first `same` input. */
type Kind = DType | 'same';
interface Signature {
  readonly inputs: readonly Kind[];
  /** Of all inputs behind those. */
  readonly rest?: Kind;
  readonly output: Kind;
}

const signatures = new Map<string, Signature>();
const sign = (ops: string, signature: Signature) => {
  for (const op of ops.split(' ')) signatures.set(op, signature);
};
sign('Add Sub Mul Div Mod Max Min Concat Identity', { inputs: [], rest: 'same', output: 'same' });
sign('Less LessOrEqual Greater Equal', { inputs: [], rest: 'same', output: 'bool' });
sign('And', { inputs: [], rest: 'bool', output: 'bool' });
sign('Exp Log Sin Cos Tanh Sqrt Relu Sigmoid Softplus Gelu Softmax MatMul RMSNorm Rotate LayerNormalization', {
  inputs: [],
  rest: 'f32',
  output: 'f32',
});
sign('Transpose Neg', { inputs: ['same'], output: 'same' });
sign('Reshape Expand Unsqueeze Squeeze Slice Pad Split Gather GatherElements', {
  inputs: ['same'],
  rest: 'i64',
  output: 'same',
});
sign('ReduceSum ReduceMean ReduceMax', { inputs: ['same'], rest: 'i64', output: 'same' });
sign('Where', { inputs: ['bool'], rest: 'same', output: 'same' });
sign('NonZero', { inputs: ['bool'], output: 'i64' });
sign('Resize', { inputs: ['f32', 'f32', 'f32', 'i64'], output: 'f32' });
sign('Range', { inputs: [], rest: 'i64', output: 'i64' });

function dtypeFault(node: Node): string | null {
  const given = node.inputs.map((value) => value?.dtype ?? null);
  const made = node.outputs.map((value) => value.dtype);
  const differs = (expected: readonly (DType | null)[], actual: readonly (DType | null)[]) =>
    expected.some((dtype, i) => dtype !== null && actual[i] !== null && dtype !== actual[i]);
  const told = `${node.op} of ${given.join(', ')} gives ${made.join(', ')}`;
  if (node.op === 'Cast') return made[0] === node.attributes.to ? null : told;
  if (node.op === 'Shape') return made[0] === 'i64' ? null : told;
  if (node.op === 'TopK') return given[1] !== 'i64' || differs([given[0] ?? null, 'i64'], made) ? told : null;
  if (node.op === 'Scan') {
    const body = node.attributes.body as Graph;
    const fits = body.inputs.length === given.length && body.outputs.size === made.length;
    const results = [...body.outputs.values()].map((value) => value.dtype);
    return fits &&
      !differs(
        given,
        body.inputs.map((value) => value.dtype),
      ) &&
      !differs(made, results)
      ? null
      : told;
  }
  if (node.op === 'If') {
    const branches = [node.attributes.then_branch, node.attributes.else_branch] as Graph[];
    const results = branches.map(({ outputs }) => [...outputs.values()].map((value) => value.dtype));
    return given[0] === 'bool' && results.every((r) => r.length === made.length && !differs(r, made)) ? null : told;
  }
  const signature = signatures.get(node.op);
  if (!signature) return null;
  const kinds = given.map((_, i) => signature.inputs[i] ?? signature.rest ?? null);
  const same = given.find((_, i) => kinds[i] === 'same') ?? null;
  const resolve = (kind: Kind | null) => (kind === 'same' ? same : kind);
  const fits =
    !differs(kinds.map(resolve), given) &&
    !differs(
      made.map(() => resolve(signature.output)),
      made,
    );
  return fits ? null : told;
}
