import { LabError } from '../protocol/errors.js';
import { type Graph, isGraph, type Node, type Value } from './ir.js';

/** `blocks.3.#v17`: any value of a segment by the graph's own name; `embed.#v0` and `head.#v2` are those of the ends. */
export const VALUE_NAME = /^(?:blocks\.(\d+)|embed|head|graph)\.#(.+)$/;

const unknown = (name: string) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `This model has no value ${name}.`,
    hint: 'The architecture view lists the values of each block; their names may change with the version of Model Lab.',
  });

const notNumbers = (name: string, dtype: string) =>
  new LabError({
    code: 'VALUE_IN_LOOP',
    message: `${name} is ${dtype} within a loop, and only numbers come out of it.`,
    hint: 'Look at what it is computed from.',
  });

/**
 * Makes a value an output under its full name. One of a loop's body comes out for every step, as [B,T,…]; for one of a branch that branch
 * is taken, since both give the same. Errors: PROBE_UNKNOWN, VALUE_IN_LOOP.
 */
export function expose(graph: Graph, full: string): void {
  const [, block, name = ''] = VALUE_NAME.exec(full) ?? [];
  const value = definedIn(graph, name) ?? definedIn(graph, `blocks.${block}.${name}`) ?? within(graph, name, full);
  graph.outputs.set(full, value);
}

const definedIn = ({ inputs, nodes }: Graph, name: string): Value | undefined =>
  inputs.find((value) => value.name === name) ?? nodes.flatMap((node) => node.outputs).find((value) => value.name === name);

function within(graph: Graph, name: string, as: string): Value {
  for (const [i, node] of graph.nodes.entries()) {
    for (const [key, body] of Object.entries(node.attributes)) {
      if (!isGraph(body) || !defines(body, name)) continue;
      if (key !== 'body') {
        take(graph, i, body);
        return definedIn(graph, name) ?? within(graph, name, as);
      }
      const inner = definedIn(body, name);
      if (inner) return everyStep(graph, i, node, body, inner, as);
    }
  }
  throw unknown(as);
}

const defines = (body: Graph, name: string): boolean =>
  definedIn(body, name) !== undefined ||
  body.nodes.some(({ attributes }) => Object.values(attributes).some((inner) => isGraph(inner) && defines(inner, name)));

/** A branch in the place of its node; names of bodies are their own. */
function take(graph: Graph, at: number, branch: Graph): void {
  const { outputs } = graph.nodes[at] as Node;
  const results = [...branch.outputs.values()];
  const passed = outputs.map(
    (value, i): Node => ({ op: 'Identity', inputs: [results[i] as Value], outputs: [value], attributes: {} }),
  );
  graph.nodes.splice(at, 1, ...branch.nodes, ...passed);
  for (const [name, constant] of branch.constants) graph.constants.set(name, constant);
}

/** One more output of the loop. */
function everyStep(graph: Graph, at: number, node: Node, body: Graph, inner: Value, as: string): Value {
  if (inner.dtype !== 'f32') throw notNumbers(as, inner.dtype);
  const [step, all] = [
    { ...inner, name: `${as}.step` },
    { ...inner, name: `${as}.steps`, shape: inner.shape.toSpliced(1, 0, 'T') },
  ];
  const axes = [...(node.attributes.scan_output_axes as readonly number[]), 1];
  const outputs = new Map([...body.outputs, [step.name, step]]);
  const longer = {
    ...body,
    nodes: [...body.nodes, { op: 'Identity', inputs: [inner], outputs: [step], attributes: {} }],
    outputs,
  };
  graph.nodes[at] = {
    ...node,
    outputs: [...node.outputs, all],
    attributes: { ...node.attributes, body: longer, scan_output_axes: axes },
  };
  return all;
}
