import type { NodeProto } from '../onnx_pb.js';
import { bodiesOf } from './captures.js';
import type { OnnxDocument } from './document.js';

/** Operators by how often they occur, bodies included, most frequent first; those of other domains by their full name. */
export function countOperators({ graph }: OnnxDocument): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  const count = (nodes: readonly NodeProto[]): void => {
    for (const node of nodes) {
      const { opType, domain } = node;
      const name = domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      for (const body of bodiesOf(node)) count(body.graph.node);
    }
  };
  count(graph.node);
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
