import type { Checkpoint } from '../../server/formats/checkpoint.js';
import type { Graph } from '../../server/graph/ir.js';
import { SegmentBuilder } from '../../server/graph/segmentBuilder.js';

/** y = x W for x [B,T,K] with a matrix [N,K] of a checkpoint, one that is `turned`, [K,N], or the second of a stack. */
export function matrixProduct({ tensors }: Checkpoint, name: string, turned: boolean): Graph {
  const shape = tensors.get(name)?.shape as readonly number[];
  const g = new SegmentBuilder(
    'product',
    { shape: (n) => tensors.get(n)?.shape ?? null },
    { probes: new Set(), interventions: new Set() },
  );
  const w = shape.length === 3 ? g.weightPart(name, 1, shape) : g.weight(name, shape);
  const K = shape.at(turned ? 0 : -1) as number;
  g.output('y', g.matmul(g.input('x', 'f32', ['B', 'T', K]), w, { transB: !turned }));
  return g.graph;
}
