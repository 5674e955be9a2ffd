import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';

/** [B,T,G,N] → [B,T,H,N]: head h reads group ⌊h·G/H⌋. */
export function repeatHeads(g: SegmentBuilder, x: Value, H: number): Value {
  const [G, N] = x.shape.slice(-2) as [number, number];
  if (G === H) return x;
  const ones = g.constant(new Float32Array(H / G).fill(1), [H / G, 1]);
  return g.reshape(g.mul(g.unsqueeze(x, 3), ones), 0, 0, H, N);
}
