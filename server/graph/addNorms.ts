import { captures, type Graph, isGraph, type Node, type Value } from './ir.js';

/** The graph in which a sum and the RMS norm that reads it are one operator, `AddRMSNorm`, that gives both: [norm, a + b]. */
export function addNorms(graph: Graph): Graph {
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const [x, weight] = node.inputs as [Value, Value];
    const at = node.op === 'RMSNorm' ? nodes.findLastIndex(({ outputs }) => outputs[0]?.name === x.name) : -1;
    const sum = nodes[at];
    if (!sum || !addsAlike(sum) || nodes.slice(at + 1).some((between) => reads(between, x.name))) {
      nodes.push(node);
      continue;
    }
    nodes.splice(at, 1);
    const outputs = [node.outputs[0] as Value, x];
    nodes.push({ op: 'AddRMSNorm', inputs: [...sum.inputs, weight], outputs, attributes: node.attributes });
  }
  return { ...graph, nodes };
}

/** Both of what is added are [B,T,D] or [T,D]: nothing is repeated. */
function addsAlike({ op, inputs: [a, b] }: Node): boolean {
  if (op !== 'Add' || !a || !b) return false;
  const rank = a.shape.length;
  return (rank === 2 || rank === 3) && a.shape.join() === b.shape.join();
}

const reads = ({ inputs, attributes }: Node, name: string): boolean =>
  inputs.some((value) => value?.name === name) ||
  Object.values(attributes).some((body) => isGraph(body) && captures(body).includes(name));
